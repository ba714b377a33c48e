//! Background tasks, none of which may be missing.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::events;

/// The pause before a panicked task is restarted: doubled each time, as with failed
/// refreshes of the keys.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Runs the task that `begin` makes of `shared`, and another after each that panics; until
/// one ends by itself. Dropping this ends the task.
pub(super) async fn supervised<S, F>(
    task: &'static str,
    shared: Arc<S>,
    begin: impl Fn(Arc<S>) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let (first, longest) = PAUSES;
    let mut pause = first;
    let mut running = JoinSet::new();
    loop {
        let started = Instant::now();
        running.spawn(begin(Arc::clone(&shared)));
        if !matches!(running.join_next().await, Some(Err(_))) {
            return;
        }
        if started.elapsed() > longest {
            pause = first;
        }
        // In a task of its own, since logging can panic, too.
        tokio::spawn(async move { events::task_panicked(task) });
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Panics at each start but the last, after having run for so long.
    async fn starts_of(panics: usize, after: Duration) -> Vec<u64> {
        let begun = Instant::now();
        let (sender, mut starts) = tokio::sync::mpsc::unbounded_channel();
        let count = Arc::new(AtomicUsize::new(0));
        supervised("a test", Arc::new(()), move |_| {
            let (sender, count) = (sender.clone(), Arc::clone(&count));
            async move {
                sender.send(begun.elapsed().as_secs()).expect("a receiver");
                tokio::time::sleep(after).await;
                assert!(
                    count.fetch_add(1, Ordering::Relaxed) >= panics,
                    "on purpose"
                );
            }
        })
        .await;
        let mut seconds = Vec::new();
        while let Some(second) = starts.recv().await {
            seconds.push(second);
        }
        seconds
    }

    #[tokio::test(start_paused = true)]
    async fn a_panicking_task_is_restarted_again_and_again() {
        let starts = starts_of(8, Duration::ZERO).await;
        assert_eq!(starts, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_good_run_the_pause_is_short_again() {
        let starts = starts_of(3, Duration::from_secs(61)).await;
        assert_eq!(starts, [0, 62, 124, 186]);
    }

    #[tokio::test]
    async fn a_task_ends_with_its_supervisor() {
        let (alive, gone) = tokio::sync::oneshot::channel::<()>();
        let alive = std::sync::Mutex::new(Some(alive));
        let supervisor = tokio::spawn(supervised("a test", Arc::new(()), move |_| {
            let alive = alive.lock().expect("a lock").take();
            async move {
                let _alive = alive;
                std::future::pending::<()>().await;
            }
        }));
        tokio::task::yield_now().await;
        supervisor.abort();
        assert!(gone.await.is_err());
    }
}
