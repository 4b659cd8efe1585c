//! Locks of the house.
//!
//! The only file that names the standard library's locks. A poisoned lock means that a panic left
//! a structure half changed; serving from it could lose or double messages silently, so taking
//! such a lock aborts the process instead.
//!
//! In tests, threads inside of [`orders::explore`] change places at each lock and flag.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(test)]
pub mod orders;

/// A mutual-exclusion lock that aborts the process when its value may be half changed.
///
/// Taking it uncontended costs one atomic exchange, about 5 ns; it spins briefly before it sleeps.
#[derive(Debug, Default)]
#[allow(
    clippy::disallowed_types,
    reason = "this newtype is the one place that wraps it"
)]
pub struct Lock<T: ?Sized>(std::sync::Mutex<T>);

/// Access to a locked value; unlocks when dropped.
#[derive(Debug)]
#[must_use = "dropping the guard unlocks at once"]
pub struct Guard<'a, T: ?Sized>(std::sync::MutexGuard<'a, T>);

impl<T> Lock<T> {
    /// Wraps a value.
    #[allow(
        clippy::disallowed_types,
        reason = "this newtype is the one place that wraps it"
    )]
    pub const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }
}

impl<T: ?Sized> Lock<T> {
    /// Waits for the lock.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        #[cfg(test)]
        if let Some(guard) = orders::insist(|| self.attempt()) {
            return guard;
        }
        match self.0.lock() {
            Ok(guard) => Guard(guard),
            Err(_) => std::process::abort(),
        }
    }

    /// Takes the lock if nobody holds it.
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        #[cfg(test)]
        orders::point();
        self.attempt()
    }

    fn attempt(&self) -> Option<Guard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(Guard(guard)),
            Err(std::sync::TryLockError::WouldBlock) => None,
            Err(std::sync::TryLockError::Poisoned(_)) => std::process::abort(),
        }
    }

    /// The value, without locking: the caller is its only owner.
    pub fn get_mut(&mut self) -> &mut T {
        match self.0.get_mut() {
            Ok(value) => value,
            Err(_) => std::process::abort(),
        }
    }
}

impl<T: ?Sized> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// A flag that others raise, and that one lowers before it looks what they left.
///
/// What is left stands behind a lock. Lowering it before that lock is taken, and raising it after
/// the lock is let go, makes sure that who leaves something that is not seen finds the flag
/// lowered: the lock orders the two, so acquire and release spare no more than a look at it.
#[derive(Debug, Default)]
pub struct Flag(AtomicBool);

impl Flag {
    /// Raises it; says whether it was raised before.
    #[inline]
    pub fn raise(&self) -> bool {
        #[cfg(test)]
        orders::point();
        self.0.swap(true, Ordering::AcqRel)
    }

    /// Raises it, whether or not it was.
    #[inline]
    pub fn set(&self) {
        #[cfg(test)]
        orders::point();
        self.0.store(true, Ordering::Release);
    }

    /// Lowers it.
    #[inline]
    pub fn lower(&self) {
        #[cfg(test)]
        orders::point();
        self.0.store(false, Ordering::Release);
    }

    /// Whether it is raised.
    #[inline]
    pub fn is_raised(&self) -> bool {
        #[cfg(test)]
        orders::point();
        self.0.load(Ordering::Acquire)
    }
}
