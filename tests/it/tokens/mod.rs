//! What a token may look like and claim, judged with keys that are known.

mod claim_rules;
mod misleading_headers;
mod rejections;
mod sample_tokens;
mod seeds;
mod spelling;
