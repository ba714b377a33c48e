//! Nothing: see `tests`. Each of them is a process, which has one provider at most.
