//! Runs tasks one at a time, on one thread: the seed decides which one is next.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use fastrand::Rng;

use crate::clock::Clock;
use crate::lock;

pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = ()>>>;

/// Makes a task's future, and makes it anew after each crash.
pub(crate) type Start = Box<dyn FnMut() -> TaskFuture>;

struct Task {
    name: String,
    future: TaskFuture,
    /// None for what cannot crash.
    start: Option<Start>,
    is_ready: Arc<Ready>,
}

struct Ready(AtomicBool);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where running tasks put new ones.
#[derive(Clone, Default)]
pub(crate) struct Spawner(Arc<Mutex<Vec<(String, TaskFutureSend)>>>);

type TaskFutureSend = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Spawner {
    /// Begins a task that nothing can end but itself.
    pub(crate) fn spawn(&self, name: String, future: impl Future<Output = ()> + Send + 'static) {
        lock(&self.0).push((name, Box::pin(future)));
    }
}

/// The tasks of a run.
pub(crate) struct Executor {
    tasks: Vec<Task>,
    clock: Clock,
    rng: Rng,
    spawner: Spawner,
}

/// What a step did.
pub(crate) enum Step {
    /// A task was polled.
    Polled,
    /// The task with this name died and began again.
    Crashed(String),
    /// Every task has ended.
    Idle,
}

impl Executor {
    pub(crate) fn new(clock: Clock, rng: Rng, spawner: Spawner) -> Self {
        Executor { tasks: Vec::new(), clock, rng, spawner }
    }

    /// Begins a task that can crash and is begun anew then.
    pub(crate) fn start(&mut self, name: impl Into<String>, mut start: Start) {
        let future = start();
        self.push(name.into(), future, Some(start));
    }

    /// Begins a task that cannot crash.
    pub(crate) fn run(&mut self, name: impl Into<String>, future: TaskFuture) {
        self.push(name.into(), future, None);
    }

    fn push(&mut self, name: String, future: TaskFuture, start: Option<Start>) {
        self.tasks.push(Task { name, future, start, is_ready: Arc::new(Ready(AtomicBool::new(true))) });
    }

    /// Polls one task that is ready, or, once in `crash_every` steps, drops it and begins it anew.
    pub(crate) fn step(&mut self, crash_every: Option<u32>) -> Step {
        let spawned = std::mem::take(&mut *lock(&self.spawner.0));
        for (name, future) in spawned {
            self.push(name, future, None);
        }
        let ready = loop {
            let ready: Vec<usize> = (0..self.tasks.len()).filter(|&index| self.tasks[index].is_ready.get()).collect();
            if !ready.is_empty() {
                break ready;
            }
            if !self.clock.advance() {
                return Step::Idle;
            }
        };
        let index = ready[self.rng.usize(..ready.len())];
        let task = &mut self.tasks[index];
        if let (Some(every), Some(start)) = (crash_every, &mut task.start)
            && self.rng.u32(..every) == 0
        {
            task.future = start();
            task.is_ready.set(true);
            return Step::Crashed(task.name.clone());
        }
        task.is_ready.set(false);
        let waker = Waker::from(task.is_ready.clone());
        if let Poll::Ready(()) = task.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.tasks.remove(index);
        }
        Step::Polled
    }

    /// Ends all tasks that can crash, as they stand.
    pub(crate) fn stop(&mut self) {
        self.tasks.retain(|task| task.start.is_none());
    }
}

impl Ready {
    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, is_ready: bool) {
        self.0.store(is_ready, Ordering::Relaxed);
    }
}
