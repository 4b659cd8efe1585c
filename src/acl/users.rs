//! All users, by name.
//!
//! A session keeps a [`Badge`]: the account and what its rules were when it last looked. Looking
//! whether they changed costs one load.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::sync::Lock;

use super::DEFAULT;
use super::catalogue::Catalogue;
use super::user::User;

/// A user with its name, for as long as anybody is it.
#[derive(Debug)]
pub struct Account {
    name: Box<[u8]>,
    /// A leaf: nothing is locked under it.
    user: Lock<Arc<User>>,
    /// Counts changes of `user`; raised after it. Acquired by who looks, so that a badge which sees
    /// the number sees the rules.
    version: AtomicU64,
}

impl Account {
    fn new(name: &[u8], user: User) -> Self {
        Self {
            name: name.into(),
            user: Lock::new(Arc::new(user)),
            version: AtomicU64::new(0),
        }
    }

    /// The name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// What it is now.
    pub fn user(&self) -> Arc<User> {
        Arc::clone(&self.user.lock())
    }

    fn set(&self, user: User) {
        *self.user.lock() = Arc::new(user);
        self.version.fetch_add(1, Ordering::Release);
    }
}

/// Who a session is, and what it may do.
#[derive(Clone, Debug)]
pub struct Badge {
    account: Arc<Account>,
    user: Arc<User>,
    version: u64,
}

impl Badge {
    /// A badge of an account.
    pub fn new(account: Arc<Account>) -> Self {
        let version = account.version.load(Ordering::Acquire);
        let user = account.user();
        Self {
            account,
            user,
            version,
        }
    }

    /// The name.
    pub fn name(&self) -> &[u8] {
        self.account.name()
    }

    /// Whether it is the default user's.
    pub fn is_default(&self) -> bool {
        self.name() == DEFAULT
    }

    /// The rules as they are now.
    pub fn user(&mut self) -> &Arc<User> {
        let version = self.account.version.load(Ordering::Acquire);
        if version != self.version {
            self.user = self.account.user();
            self.version = version;
        }
        &self.user
    }
}

/// All users. The default one is always there.
#[derive(Debug)]
pub struct Users {
    /// A leaf but for `Account::user`.
    accounts: Lock<BTreeMap<Box<[u8]>, Arc<Account>>>,
    default: Arc<Account>,
    /// Whether connections need not say who they are, for looking at it without a lock. Relaxed: a
    /// connection that races with the change may find either.
    is_open: AtomicBool,
}

impl Users {
    /// The default user, who may do everything.
    pub fn new(catalogue: &Catalogue) -> Self {
        let default = Arc::new(Account::new(DEFAULT, User::unbounded(catalogue)));
        let accounts = BTreeMap::from([(DEFAULT.into(), Arc::clone(&default))]);
        Self {
            accounts: Lock::new(accounts),
            default,
            is_open: AtomicBool::new(true),
        }
    }

    /// The default user's account.
    pub fn default_account(&self) -> &Arc<Account> {
        &self.default
    }

    /// Whether the default user needs no password.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// The account of a name.
    pub fn get(&self, name: &[u8]) -> Option<Arc<Account>> {
        self.accounts.lock().get(name).cloned()
    }

    /// All accounts in the order of their names.
    pub fn all(&self) -> Vec<Arc<Account>> {
        self.accounts.lock().values().cloned().collect()
    }

    /// Makes a user what it shall be, a new one if there was none of this name. Returns what it was.
    pub fn set(&self, name: &[u8], user: User) -> Option<Arc<User>> {
        let mut accounts = self.accounts.lock();
        let before = if let Some(account) = accounts.get(name) {
            let before = account.user();
            account.set(user);
            Some(before)
        } else {
            accounts.insert(name.into(), Arc::new(Account::new(name, user)));
            None
        };
        self.is_open
            .store(self.default.user().is_open(), Ordering::Relaxed);
        before
    }

    /// Removes a user; who still is it may do nothing from now on. The default one stays.
    pub fn remove(&self, name: &[u8], catalogue: &Catalogue) -> bool {
        if name == DEFAULT {
            return false;
        }
        let removed = self.accounts.lock().remove(name);
        if let Some(account) = &removed {
            account.set(User::new(catalogue, false));
        }
        removed.is_some()
    }
}
