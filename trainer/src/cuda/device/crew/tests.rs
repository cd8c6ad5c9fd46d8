//! Devices that are counters.

use std::rc::Rc;
use std::sync::atomic::AtomicUsize;

use crate::cuda::device::crew::*;

#[derive(Debug, PartialEq)]
enum Trouble {
    Stopped,
    Thread(String),
    Own(usize),
}

impl Fault for Trouble {
    fn stopped() -> Self {
        Self::Stopped
    }

    fn is_stopped(&self) -> bool {
        *self == Self::Stopped
    }

    fn of_thread(what: String) -> Self {
        Self::Thread(what)
    }
}

/// What does not leave its thread; counts how many are open.
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
    alarm: Arc<Alarm>,
    open: Arc<AtomicUsize>,
}

impl Kit {
    fn new() -> Self {
        Self {
            alarm: Arc::default(),
            open: Arc::default(),
        }
    }

    /// Devices 3, 5 and 9, of which one may not open.
    fn crew(&self, broken: Option<usize>) -> Result<Crew<Device>, Failed<Trouble>> {
        let (alarm, open) = (Arc::clone(&self.alarm), Arc::clone(&self.open));
        let grace = Duration::from_millis(300);
        Crew::start([3, 5, 9].into_iter(), alarm, grace, move |number| {
            if Some(number) == broken {
                return Err(Trouble::Own(number));
            }
            open.fetch_add(1, Ordering::SeqCst);
            Ok(Device {
                number: Rc::new(number),
                sum: 0,
                open: Arc::clone(&open),
            })
        })
    }

    /// As one that waits for the others does.
    fn wait(alarm: &Alarm) -> Result<(), Trouble> {
        while !alarm.rings() {
            thread::sleep(Duration::from_millis(1));
        }
        Err(Trouble::Stopped)
    }
}

#[test]
fn all_work_on_their_own_devices_in_order() {
    let kit = Kit::new();
    let mut crew = kit.crew(None).unwrap();
    let add = |by: usize| {
        move |place: usize, device: &mut Device| -> Result<(usize, usize), Trouble> {
            device.sum += by * place;
            Ok((*device.number, device.sum))
        }
    };
    assert_eq!(crew.all(add(1)).unwrap(), [(3, 0), (5, 1), (9, 2)]);
    assert_eq!(crew.all(add(10)).unwrap(), [(3, 0), (5, 11), (9, 22)]);
    let first = crew.first(|device| Ok::<_, Trouble>(*device.number));
    assert_eq!(first.unwrap(), 3);
    let shared = Arc::new(7);
    let held = Arc::clone(&shared);
    crew.all(move |_, _| Ok::<_, Trouble>(*held)).unwrap();
    assert_eq!(Arc::strong_count(&shared), 1, "let go when it returns");
    drop(crew);
    assert_eq!(kit.open.load(Ordering::SeqCst), 0);
}

#[test]
fn the_one_that_failed_is_named_and_the_others_stop() {
    let kit = Kit::new();
    let mut crew = kit.crew(None).unwrap();
    let alarm = Arc::clone(&kit.alarm);
    let failed = crew.all(move |_, device| match *device.number {
        5 => Err(Trouble::Own(50)),
        _ => Kit::wait(&alarm),
    });
    let Failed { number, fault } = failed.unwrap_err();
    assert_eq!((number, fault), (5, Trouble::Own(50)));
    let again = crew.all(|_, _| Ok::<_, Trouble>(())).unwrap_err();
    assert!(again.fault.is_stopped(), "nothing is done after a failure");
    drop(crew);
    assert_eq!(kit.open.load(Ordering::SeqCst), 0);
}

#[test]
fn a_panic_is_told_and_the_others_stop() {
    let kit = Kit::new();
    let mut crew = kit.crew(None).unwrap();
    let alarm = Arc::clone(&kit.alarm);
    let failed = crew.all(move |place, _| match place {
        2 => panic!("no more"),
        _ => Kit::wait(&alarm),
    });
    let Failed { number, fault } = failed.unwrap_err();
    let what = Trouble::Thread("panicked: no more".to_owned());
    assert_eq!((number, fault), (9, what));
}

#[test]
fn one_that_cannot_be_opened_closes_the_others() {
    let kit = Kit::new();
    let Failed { number, fault } = kit.crew(Some(9)).err().unwrap();
    assert_eq!((number, fault), (9, Trouble::Own(9)));
    assert_eq!(kit.open.load(Ordering::SeqCst), 0);
}

#[test]
fn one_that_never_answers_is_left_behind() {
    let kit = Kit::new();
    let mut crew = kit.crew(None).unwrap();
    let (keep, hold) = mpsc::channel::<()>();
    let hold = std::sync::Mutex::new(hold);
    let clock = Instant::now();
    let failed = crew.all(move |place, _| match place {
        0 => Err(Trouble::Own(0)),
        1 => {
            let _ = hold.lock().unwrap().recv();
            Ok(())
        }
        _ => Ok(()),
    });
    assert_eq!(failed.unwrap_err().fault, Trouble::Own(0));
    drop(crew);
    assert!(
        clock.elapsed() < Duration::from_secs(30),
        "it is not waited for"
    );
    drop(keep);
}
