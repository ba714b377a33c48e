//! Rounds in which every contender runs once.

use std::time::Duration;

/// Something whose calls are timed.
pub(crate) struct Contender<'a> {
    pub(crate) name: String,
    calls: u32,
    /// The time of `calls` calls, without their preparation.
    run: Box<dyn FnMut() -> Duration + 'a>,
}

impl<'a> Contender<'a> {
    /// `run` makes `calls` calls and returns the time that they took together.
    pub(crate) fn new(
        name: impl Into<String>,
        calls: u32,
        run: impl FnMut() -> Duration + 'a,
    ) -> Self {
        Self {
            name: name.into(),
            calls,
            run: Box::new(run),
        }
    }

    /// Runs it once.
    pub(crate) fn time(&mut self) -> Duration {
        (self.run)()
    }
}

/// Runs them in turn. Returns nanoseconds per call, by contender and then by round.
pub(crate) fn interleave(contenders: &mut [Contender<'_>], rounds: usize) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    // A tenth more first, to warm up caches, branch predictors and the clock.
    let ahead = rounds / 10;
    for round in 0..ahead + rounds {
        for (contender, times) in contenders.iter_mut().zip(&mut times) {
            let time = contender.time();
            if round >= ahead {
                times.push(time.as_secs_f64() * 1e9 / f64::from(contender.calls));
            }
        }
    }
    times
}

/// The median of the ratios of each round.
pub(crate) fn ratio(times: &[f64], base: &[f64]) -> f64 {
    median(times.iter().zip(base).map(|(time, base)| time / base))
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
