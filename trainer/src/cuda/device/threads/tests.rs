//! Devices that are counters.

use std::rc::Rc;
use std::sync::atomic::AtomicUsize;

use crate::cuda::device::threads::*;

#[derive(Debug, PartialEq)]
enum Trouble {
    Stopped,
    Thread(String),
    Own(usize),
    Device(usize, Box<Trouble>),
}

impl DeviceError for Trouble {
    fn stopped() -> Self {
        Self::Stopped
    }

    fn is_stopped(&self) -> bool {
        *self == Self::Stopped
    }

    fn of_thread(what: String) -> Self {
        Self::Thread(what)
    }

    fn of_device(self, number: usize) -> Self {
        Self::Device(number, Box::new(self))
    }
}

/// Cannot leave its thread; counts how many are open.
struct Device {
    number: Rc<usize>,
    sum: usize,
    open: Arc<AtomicUsize>,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Kit {
    failure: Arc<FailureFlag>,
    open: Arc<AtomicUsize>,
}

impl Kit {
    fn new() -> Self {
        Self {
            failure: Arc::default(),
            open: Arc::default(),
        }
    }

    /// Devices 3, 5 and 9, one of which may fail to open.
    fn threads(&self, broken: Option<usize>) -> Result<DeviceThreads<Device>, Trouble> {
        let (failure, open) = (Arc::clone(&self.failure), Arc::clone(&self.open));
        let stop_timeout = Duration::from_millis(300);
        DeviceThreads::start(
            [3, 5, 9].into_iter(),
            failure,
            stop_timeout,
            move |number| {
                if Some(number) == broken {
                    return Err(Trouble::Own(number));
                }
                open.fetch_add(1, Ordering::SeqCst);
                Ok(Device {
                    number: Rc::new(number),
                    sum: 0,
                    open: Arc::clone(&open),
                })
            },
        )
    }

    /// Waits as for another device.
    fn wait(failure: &FailureFlag) -> Result<(), Trouble> {
        while !failure.is_set() {
            thread::sleep(Duration::from_millis(1));
        }
        Err(Trouble::Stopped)
    }
}

#[test]
fn all_work_on_their_own_devices_in_order() {
    let kit = Kit::new();
    let mut threads = kit.threads(None).unwrap();
    let add = |by: usize| {
        move |index: usize, device: &mut Device| -> Result<(usize, usize), Trouble> {
            device.sum += by * index;
            Ok((*device.number, device.sum))
        }
    };
    assert_eq!(threads.on_all(add(1)).unwrap(), [(3, 0), (5, 1), (9, 2)]);
    assert_eq!(threads.on_all(add(10)).unwrap(), [(3, 0), (5, 11), (9, 22)]);
    let first = threads.on_first(1, |_, device| Ok::<_, Trouble>(*device.number));
    assert_eq!(first.unwrap(), [3]);
    let shared = Arc::new(7);
    let held = Arc::clone(&shared);
    threads.on_all(move |_, _| Ok::<_, Trouble>(*held)).unwrap();
    assert_eq!(Arc::strong_count(&shared), 1, "dropped before it returns");
    drop(threads);
    assert_eq!(kit.open.load(Ordering::SeqCst), 0);
}

#[test]
fn the_failed_device_is_named_and_the_others_stop() {
    let kit = Kit::new();
    let mut threads = kit.threads(None).unwrap();
    let failure = Arc::clone(&kit.failure);
    let failed = threads.on_all(move |_, device| match *device.number {
        5 => Err(Trouble::Own(50)),
        _ => Kit::wait(&failure),
    });
    assert_eq!(failed.unwrap_err(), Trouble::Own(50).of_device(5));
    let again = threads.on_all(|_, _| Ok::<_, Trouble>(())).unwrap_err();
    let stopped = Trouble::Stopped.of_device(3);
    assert_eq!(again, stopped, "nothing is done after a failure");
    drop(threads);
    assert_eq!(kit.open.load(Ordering::SeqCst), 0);
}

#[test]
fn a_panic_is_reported_and_the_others_stop() {
    let kit = Kit::new();
    let mut threads = kit.threads(None).unwrap();
    let failure = Arc::clone(&kit.failure);
    let failed = threads.on_all(move |index, _| match index {
        2 => panic!("no more"),
        _ => Kit::wait(&failure),
    });
    let what = Trouble::Thread("panicked: no more".to_owned());
    assert_eq!(failed.unwrap_err(), what.of_device(9));
}

#[test]
fn a_device_that_cannot_be_opened_closes_the_others() {
    let kit = Kit::new();
    let error = kit.threads(Some(9)).err().unwrap();
    assert_eq!(error, Trouble::Own(9).of_device(9));
    assert_eq!(kit.open.load(Ordering::SeqCst), 0);
}

#[test]
fn a_device_that_never_answers_is_abandoned() {
    let kit = Kit::new();
    let mut threads = kit.threads(None).unwrap();
    let (keep, hold) = mpsc::channel::<()>();
    let hold = std::sync::Mutex::new(hold);
    let clock = Instant::now();
    let failed = threads.on_all(move |index, _| match index {
        0 => Err(Trouble::Own(0)),
        1 => {
            let _ = hold.lock().unwrap().recv();
            Ok(())
        }
        _ => Ok(()),
    });
    assert_eq!(failed.unwrap_err(), Trouble::Own(0).of_device(3));
    drop(threads);
    assert!(
        clock.elapsed() < Duration::from_secs(30),
        "it is not waited for"
    );
    drop(keep);
}
