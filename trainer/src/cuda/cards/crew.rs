//! A thread for each card, and work that all of them do.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::link::Alarm;
use crate::cuda::card::Card;
use crate::cuda::error::CudaError;
use crate::error::TrainError;

/// How long the other cards may take to stop after one has failed.
const GRACE: Duration = Duration::from_secs(10);

/// Work for a card's thread.
type Job = Box<dyn FnOnce(&mut Card) + Send>;

/// What a card's thread answers, with its place among the cards.
type Answer<T> = (usize, Result<T, CudaError>);

struct Worker {
    /// The card's number.
    card: usize,
    /// `None` once it is to end.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// The threads of some cards. A card is opened, used and closed on its thread alone.
///
/// When one fails, the others stop: the alarm is rung, on which each gives up waiting for the rest.
pub(super) struct Crew {
    workers: Vec<Worker>,
    alarm: Arc<Alarm>,
    /// Whether a card has failed.
    failed: bool,
}

impl Crew {
    /// Threads for these cards, each of which `open` makes.
    ///
    /// # Errors
    /// The first card that cannot be opened.
    pub(super) fn start(
        cards: impl Iterator<Item = usize>,
        alarm: Arc<Alarm>,
        open: impl Fn(usize) -> Result<Card, CudaError> + Send + Sync + 'static,
    ) -> Result<Self, TrainError> {
        let open = Arc::new(open);
        let (answers, heard) = mpsc::channel();
        let mut workers = Vec::new();
        for (place, card) in cards.enumerate() {
            let (jobs, queue) = mpsc::channel();
            let (open, answers, alarm) = (Arc::clone(&open), answers.clone(), Arc::clone(&alarm));
            let thread = thread::Builder::new().name(format!("cuda:{card}"));
            let thread = thread.spawn(move || {
                let opened = guarded(|| open(card), &alarm);
                // What it holds is shared with the caller.
                drop(open);
                match opened {
                    Ok(card) => {
                        let _ = answers.send((place, Ok(())));
                        drop(answers);
                        serve(card, &queue);
                    }
                    Err(error) => drop(answers.send((place, Err(error)))),
                }
            });
            let thread = thread.map_err(|source| TrainError::Io {
                action: "start a thread for",
                path: format!("cuda:{card}").into(),
                source,
            })?;
            workers.push(Worker {
                card,
                jobs: Some(jobs),
                thread: Some(thread),
            });
        }
        drop(answers);
        let mut crew = Self {
            workers,
            alarm,
            failed: false,
        };
        crew.collect(&heard, crew.len())?;
        Ok(crew)
    }

    pub(super) fn len(&self) -> usize {
        self.workers.len()
    }

    /// The number of the card at a place.
    pub(super) fn card(&self, place: usize) -> usize {
        self.workers[place].card
    }

    /// Has all cards do something, each given its place, and waits for their answers. What `work` holds
    /// is let go before this returns.
    ///
    /// # Errors
    /// What the first card that failed reports, with its number; the others have stopped.
    pub(super) fn all<T: Send + 'static>(
        &mut self,
        work: impl Fn(usize, &mut Card) -> Result<T, CudaError> + Send + Sync + 'static,
    ) -> Result<Vec<T>, TrainError> {
        self.some(self.len(), work)
    }

    /// Has the first card do something.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub(super) fn first<T: Send + 'static>(
        &mut self,
        work: impl Fn(&mut Card) -> Result<T, CudaError> + Send + Sync + 'static,
    ) -> Result<T, TrainError> {
        let mut answers = self.some(1, move |_, card| work(card))?;
        Ok(answers.remove(0))
    }

    fn some<T: Send + 'static>(
        &mut self,
        count: usize,
        work: impl Fn(usize, &mut Card) -> Result<T, CudaError> + Send + Sync + 'static,
    ) -> Result<Vec<T>, TrainError> {
        if self.failed {
            let (card, source) = (self.card(0), Box::new(CudaError::Stopped));
            return Err(TrainError::Card { card, source });
        }
        let work = Arc::new(work);
        let (answers, heard) = mpsc::channel();
        for (place, worker) in self.workers[..count].iter().enumerate() {
            let (work, answers) = (Arc::clone(&work), answers.clone());
            let alarm = Arc::clone(&self.alarm);
            let job: Job = Box::new(move |card| {
                let answer = guarded(|| work(place, card), &alarm);
                drop(work);
                let _ = answers.send((place, answer));
            });
            // A thread that has ended is missed when the answers are counted.
            let _ = worker.jobs.as_ref().map(|jobs| jobs.send(job));
        }
        drop((answers, work));
        self.collect(&heard, count)
    }

    /// The answers in the cards' order, once all are there.
    fn collect<T>(
        &mut self,
        heard: &Receiver<Answer<T>>,
        count: usize,
    ) -> Result<Vec<T>, TrainError> {
        let mut answers: Vec<Option<T>> = (0..count).map(|_| None).collect();
        let mut failed: Option<(usize, CudaError)> = None;
        let mut until = None;
        for _ in 0..count {
            let answer = match until {
                None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => heard.recv_timeout(Instant::duration_since(&until, Instant::now())),
            };
            match answer {
                Ok((place, Ok(answer))) => answers[place] = Some(answer),
                Ok((place, Err(error))) => {
                    self.alarm.ring();
                    until = until.or(Some(Instant::now() + GRACE));
                    // Those that only stopped say nothing about why.
                    let told = matches!(failed, None | Some((_, CudaError::Stopped)));
                    if told {
                        failed = Some((place, error));
                    }
                }
                Err(_) => break,
            }
        }
        let silent = answers.iter().position(Option::is_none);
        let failed = failed.or(silent.map(|place| (place, CudaError::Silent)));
        let Some((place, source)) = failed else {
            return Ok(answers.into_iter().flatten().collect());
        };
        self.alarm.ring();
        self.failed = true;
        Err(TrainError::Card {
            card: self.card(place),
            source: Box::new(source),
        })
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        // All are done before one leaves; an error has been told, or concerns nobody any more.
        let _ = self.all(|_, card| card.gpu().settle());
        for worker in &mut self.workers {
            worker.jobs = None;
        }
        let until = Instant::now() + GRACE;
        for worker in &mut self.workers {
            let Some(thread) = worker.thread.take() else {
                continue;
            };
            // After a failure a driver may never answer: such a thread is left to the program's end.
            while self.failed && !thread.is_finished() && Instant::now() < until {
                thread::sleep(Duration::from_millis(1));
            }
            if !self.failed || thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

/// Does what it is given until nobody gives more, then leaves the other cards.
fn serve(mut card: Card, queue: &Receiver<Job>) {
    for job in queue {
        job(&mut card);
    }
    // The others leave as well, and whatever a failed one has left undone ends with that.
    if let Some(link) = card.gpu().link() {
        link.leave();
    }
}

/// Does something on a card's thread, and rings the alarm if it fails, a panic included.
fn guarded<T>(work: impl FnOnce() -> Result<T, CudaError>, alarm: &Alarm) -> Result<T, CudaError> {
    let done = catch_unwind(AssertUnwindSafe(work));
    let done = done.unwrap_or_else(|panic| Err(CudaError::Panicked(message(panic.as_ref()))));
    if done.is_err() {
        alarm.ring();
    }
    done
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}
