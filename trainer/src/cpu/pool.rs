//! Buffers that threads share.

use std::sync::Mutex;

/// Buffers that threads borrow and give back; there are as many as threads ever worked at once.
#[derive(Default)]
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

impl<T> FromIterator<T> for Pool<T> {
    fn from_iter<I: IntoIterator<Item = T>>(buffers: I) -> Self {
        Self(Mutex::new(buffers.into_iter().collect()))
    }
}

impl<T> Pool<T> {
    /// Runs `work` with buffers of its own, new ones where none are free.
    pub(crate) fn with<R>(&self, make: impl FnOnce() -> T, work: impl FnOnce(&mut T) -> R) -> R {
        let lock = || self.0.lock().expect("nobody panics while holding it");
        let free = lock().pop();
        let mut buffers = free.unwrap_or_else(make);
        let result = work(&mut buffers);
        lock().push(buffers);
        result
    }
}
