//! The same, for models: shuttle decides which thread or task is next at every use of
//! these, at the start of each, and where one waits.
//!
//! Each call into tokio's `Notify`, `watch`, `oneshot` and `Semaphore`, into moka and into
//! arc-swap is one step. They have models of their own.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::ops::Add;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arc_swap::{AsRaw, Guard, RefCnt};
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64};
pub(crate) use shuttle::sync::{Mutex, MutexGuard, mpsc};
pub(crate) use shuttle::thread_local;

pub(crate) mod thread {
    pub(crate) use shuttle::thread::*;

    /// Everybody else is next: nobody polls for ever.
    pub(crate) fn sleep(_: std::time::Duration) {
        yield_now();
    }
}

/// Multiplies how many orders each model is tried in.
const TIMES: &str = "MODEL_TIMES";
/// A failing schedule, as it was printed: this alone is tried.
const SCHEDULE: &str = "MODEL_SCHEDULE";

/// Priorities change so often at most in one run of a model, in half of its runs: most
/// mistakes take one or two changes. The others choose at each step.
const CHANGES: usize = 3;

/// A signature check takes more than a step of shuttle's own tests.
const STACK: usize = 512 * 1024;

/// Tries `model` in so many orders, chosen at random. What fails is printed, to be
/// replayed.
pub(crate) fn check(orders: usize, model: impl Fn() + Send + Sync + 'static) {
    let model = Arc::new(move || {
        // One thread runs all of a model's.
        fastrand::seed(7);
        REAL_TIME.set(Duration::ZERO);
        SLEEPERS.take();
        REACTION.take();
        model();
        // What is dropped with the execution, outside of any order, is not heard.
        REACTION.take();
    });
    if let Ok(schedule) = std::env::var(SCHEDULE) {
        run(ReplayScheduler::new_from_encoded(&schedule), model);
        return;
    }
    let times = std::env::var(TIMES).map_or(1, |times| times.parse().expect("a number"));
    let each = orders * times / 2;
    run(RandomScheduler::new(each), Arc::clone(&model));
    run(PctScheduler::new(CHANGES, each), model);
    proved(2 * each, "at random");
}

/// Tries `model`, a small one, in all orders.
pub(crate) fn check_all(model: impl Fn() + Send + Sync + 'static) {
    let orders = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    let model = move || {
        counted.fetch_add(1, SeqCst);
        model();
    };
    run(DfsScheduler::new(None, false), Arc::new(model));
    proved(orders.load(SeqCst), "all there are");
}

/// Within a test, after which its thread is named.
fn proved(orders: usize, which: &str) {
    let test = std::thread::current();
    let test = test.name().unwrap_or_default();
    println!("proof: model {test}: {orders} orders, {which}");
}

fn run(scheduler: impl Scheduler + 'static, model: Arc<impl Fn() + Send + Sync + 'static>) {
    let mut config = Config::new();
    config.stack_size = STACK;
    config.silence_warnings = true;
    // Some hundred take place, unless somebody polls for ever.
    config.max_steps = MaxSteps::FailAfter(100_000);
    Runner::new(scheduler, config).run(move || model());
}

/// A thread of an application, within a runtime.
pub(crate) fn within(
    runtime: &Handle,
    act: impl FnOnce() + Send + 'static,
) -> thread::JoinHandle<()> {
    let runtime = runtime.clone();
    thread::spawn(move || {
        runtime.enter();
        act();
    })
}

/// They all end, and none panics.
pub(crate) fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("no panic");
    }
}

/// The same, while something else goes on.
pub(crate) fn join_while<const N: usize>(
    threads: [thread::JoinHandle<()>; N],
    mut goes_on: impl FnMut(),
) {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let joining = thread::spawn(move || {
        join(threads);
        over.store(true, SeqCst);
    });
    while !is_over.load(SeqCst) {
        goes_on();
        thread::yield_now();
    }
    join([joining]);
}

/// Nothing holds it any more, sooner or later.
pub(crate) fn is_dropped<T>(held: &Weak<T>) {
    while held.strong_count() > 0 {
        thread::yield_now();
    }
}

/// Lets anybody else be next.
pub(crate) fn step() {
    AtomicBool::new(false).load(SeqCst);
}

/// One of `of` cases, each at some time.
pub(crate) fn any(of: usize) -> usize {
    use shuttle::rand::Rng;
    shuttle::rand::thread_rng().gen_range(0..of)
}

/// Where at most so many may be at a time.
#[derive(Debug)]
pub(crate) struct AtMost {
    most: u64,
    inside: AtomicU64,
}

pub(crate) struct Inside<'a>(&'a AtMost);

impl AtMost {
    pub(crate) fn new(most: u64) -> Self {
        let inside = AtomicU64::new(0);
        Self { most, inside }
    }

    pub(crate) fn enter(&self) -> Inside<'_> {
        let before = self.inside.fetch_add(1, SeqCst);
        assert!(before < self.most, "too many fetches at a time");
        Inside(self)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, SeqCst);
    }
}

/// Lets anybody else be next, where a task may be stopped.
pub(crate) async fn pause() {
    let mut has_paused = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_paused, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Has a subscriber react to each event from now on, where it comes up.
pub(crate) fn react(reaction: impl Fn() + 'static) {
    REACTION.set(Some(Rc::new(reaction)));
}

/// `emit` is no step: it is called under the locks of tracing's.
pub(crate) fn reported(emit: impl FnOnce()) {
    emit();
    if let Some(react) = REACTION.with_borrow(Clone::clone) {
        react();
    }
}

/// Hears this crate's events down to info, where they come up.
pub(crate) struct Hears<F>(pub(crate) F);

/// What is heard of an event.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) message: String,
    pub(crate) count: Option<u64>,
    pub(crate) kids: String,
    pub(crate) error: String,
}

impl<F: Fn(Heard) + 'static> tracing::Subscriber for Hears<F> {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
            && *metadata.level() <= tracing::Level::INFO
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut heard = Heard::default();
        event.record(&mut heard);
        self.0(heard);
    }

    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}
    fn enter(&self, _: &tracing::Id) {}
    fn exit(&self, _: &tracing::Id) {}
}

impl tracing::field::Visit for Heard {
    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        if field.name() == "count" {
            self.count = Some(value);
        }
    }

    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "error" => self.error = format!("{value:?}"),
            "kids" => self.kids = format!("{value:?}"),
            _ => {}
        }
    }
}

#[derive(Debug)]
pub(crate) struct Swap<T: RefCnt>(arc_swap::ArcSwapAny<T>);

pub(crate) type ArcSwap<T> = Swap<Arc<T>>;
pub(crate) type ArcSwapOption<T> = Swap<Option<Arc<T>>>;

impl<T: RefCnt> Swap<T> {
    pub(crate) fn load(&self) -> Guard<T> {
        step();
        self.0.load()
    }

    pub(crate) fn load_full(&self) -> T {
        step();
        self.0.load_full()
    }

    pub(crate) fn store(&self, value: T) {
        step();
        self.0.store(value);
    }

    pub(crate) fn swap(&self, value: T) -> T {
        step();
        self.0.swap(value)
    }
}

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        Self(arc_swap::ArcSwapAny::new(Arc::new(value)))
    }
}

impl<T> ArcSwapOption<T> {
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    pub(crate) fn compare_and_swap(
        &self,
        current: impl AsRaw<T>,
        new: Option<Arc<T>>,
    ) -> Guard<Option<Arc<T>>> {
        // `moka` calls this under a lock of its own: no step.
        self.0.compare_and_swap(current, new)
    }
}

impl<T: RefCnt + Default> Default for Swap<T> {
    fn default() -> Self {
        Self(arc_swap::ArcSwapAny::default())
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// A runtime of tokio's, as far as a task can notice it.
#[derive(Debug, Clone)]
pub(crate) struct Handle(Arc<std::sync::Mutex<Runtime>>);

#[derive(Debug)]
struct Runtime {
    mode: Mode,
    /// Those whom a change of the mode concerns.
    tasks: Vec<Waker>,
    /// How many of them are being polled.
    polled: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Driven,
    /// Nobody polls its tasks.
    Abandoned,
    ShutDown,
}

impl Handle {
    pub(crate) fn new() -> Self {
        Self(Arc::new(std::sync::Mutex::new(Runtime {
            mode: Mode::Driven,
            tasks: Vec::new(),
            polled: 0,
        })))
    }

    /// What this thread does from now on, it does within this runtime.
    pub(crate) fn enter(&self) {
        CURRENT.with(|current| current.replace(Some(self.clone())));
    }

    pub(crate) fn try_current() -> Result<Self, ()> {
        CURRENT.with(|current| current.borrow().clone()).ok_or(())
    }

    /// Nobody drives its tasks any more.
    pub(crate) fn abandon(&self) {
        self.change(Mode::Abandoned);
    }

    /// None of its tasks is in the middle of a step any more.
    pub(crate) fn is_at_rest(&self) {
        while self.lock().polled > 0 {
            thread::yield_now();
        }
    }

    /// They are driven again.
    pub(crate) fn resume(&self) {
        self.change(Mode::Driven);
    }

    /// Its tasks are dropped at their next wait.
    pub(crate) fn shut_down(&self) {
        self.change(Mode::ShutDown);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Runtime> {
        self.0.lock().expect("no panic")
    }

    fn change(&self, mode: Mode) {
        step();
        let tasks = {
            let mut runtime = self.lock();
            runtime.mode = mode;
            std::mem::take(&mut runtime.tasks)
        };
        tasks.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Spawned {
        let abort = AbortHandle(Arc::default());
        let mut task = Task {
            future: Some(Box::pin(future)),
            runtime: self.clone(),
            abort: abort.clone(),
        };
        let runtime = self.clone();
        drop(shuttle::future::spawn(async move {
            runtime.enter();
            poll_fn(|cx| task.poll(cx)).await;
        }));
        Spawned(abort)
    }
}

/// What is spawned on a runtime.
struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    runtime: Handle,
    abort: AbortHandle,
}

impl Task {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mode = {
            let mut runtime = self.runtime.lock();
            runtime.tasks.push(cx.waker().clone());
            runtime.polled += usize::from(runtime.mode != Mode::Abandoned);
            runtime.mode
        };
        if mode == Mode::Abandoned {
            return Poll::Pending;
        }
        let polled = self.step(mode, cx);
        self.runtime.lock().polled -= 1;
        polled
    }

    fn step(&mut self, mode: Mode, cx: &mut Context<'_>) -> Poll<()> {
        if mode == Mode::ShutDown || self.abort.is_aborted(cx) {
            self.future = None;
        }
        let Some(future) = &mut self.future else {
            return Poll::Ready(());
        };
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }
}

#[derive(Debug)]
pub(crate) struct Spawned(AbortHandle);

impl Spawned {
    pub(crate) fn abort_handle(&self) -> AbortHandle {
        self.0.clone()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct AbortHandle(Arc<std::sync::Mutex<(bool, Option<Waker>)>>);

impl AbortHandle {
    pub(crate) fn abort(&self) {
        step();
        let waker = {
            let mut task = self.0.lock().expect("no panic");
            task.0 = true;
            task.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    fn is_aborted(&self, cx: &Context<'_>) -> bool {
        let mut task = self.0.lock().expect("no panic");
        task.1 = Some(cx.waker().clone());
        task.0
    }
}

/// What a subscriber does, after it has heard an event.
type Reaction = Rc<dyn Fn()>;

// One thread runs all of a model's.
std::thread_local! {
    static REACTION: RefCell<Option<Reaction>> = const { RefCell::new(None) };
    static REAL_TIME: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static SLEEPERS: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// Lets real time pass, by which nothing goes but what says so.
pub(crate) fn pass(time: Duration) {
    step();
    REAL_TIME.set(REAL_TIME.get() + time);
    SLEEPERS.take().into_iter().for_each(Waker::wake);
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(REAL_TIME.get())
    }

    pub(crate) fn elapsed(self) -> Duration {
        REAL_TIME.get().saturating_sub(self.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0 + time)
    }
}

pub(crate) async fn sleep(time: Duration) {
    let end = REAL_TIME.get() + time;
    poll_fn(|cx| {
        if REAL_TIME.get() >= end {
            return Poll::Ready(());
        }
        SLEEPERS.with_borrow_mut(|sleepers| sleepers.push(cx.waker().clone()));
        Poll::Pending
    })
    .await;
}

pub(crate) async fn timeout<F: Future>(time: Duration, future: F) -> Result<F::Output, Elapsed> {
    let (mut future, mut end) = (pin!(future), pin!(sleep(time)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => end.as_mut().poll(cx).map(|()| Err(Elapsed)),
    })
    .await
}

#[derive(Debug, thiserror::Error)]
#[error("deadline has elapsed")]
pub(crate) struct Elapsed;
