//! What other threads leave for a connection: published messages, the word that a wait is over, a
//! request to close.
//!
//! Anyone may fill a [`Mailbox`], at any time and without waiting; only its connection drains it.
//! Published messages are bounded in bytes, and what happens past the bound is policy. Wake-ups
//! are collected in a [`WakeList`] while locks are held and carried out after: they go to the
//! [`Bell`] of the connection's worker, which is woken once however many of its connections are.
//!
//! Lock order: the locks of mailboxes and bells are the last that anyone takes, one at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::overflow::{OutboxBounds, WhenFull};
use crate::protocol::{Reply, Resp};
use crate::sync::{Flag, Lock};

/// Why a connection ends other than by its client closing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// CLIENT KILL, or a kill by address.
    Killed,
    /// Idle for longer than `timeout`.
    Idle,
    /// Its outbox was full and policy says to disconnect.
    OutboxFull,
    /// Its buffers hold more than they may.
    TooMuch,
    /// The server shuts down.
    Shutdown,
}

/// Messages and their bytes, encoded as they go on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Flow {
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }

    fn append(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

/// The account of a box, or of many: *came = taken + held + the losses*, at every moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxLedger {
    /// Was left in it, or would have been but for its bounds.
    pub came: Flow,
    /// Was taken by its connection, to be written.
    pub taken: Flow,
    /// Waits in it.
    pub held: Flow,
    /// Was the oldest when there was no room.
    pub dropped_oldest: Flow,
    /// Was what came when there was no room.
    pub dropped_newest: Flow,
    /// Was in it, or came, when its connection was ended for want of room.
    pub disconnected: Flow,
    /// Was in it when its connection ended for another reason.
    pub closed: Flow,
}

impl OutboxLedger {
    /// Adds another account to this one.
    pub fn append(&mut self, other: &Self) {
        self.came.append(other.came);
        self.taken.append(other.taken);
        self.held.append(other.held);
        self.dropped_oldest.append(other.dropped_oldest);
        self.dropped_newest.append(other.dropped_newest);
        self.disconnected.append(other.disconnected);
        self.closed.append(other.closed);
    }

    /// Whether every message that came is somewhere.
    pub fn is_balanced(&self) -> bool {
        let mut sum = self.taken;
        for part in [
            self.held,
            self.dropped_oldest,
            self.dropped_newest,
            self.disconnected,
            self.closed,
        ] {
            sum.append(part);
        }
        sum == self.came
    }
}

/// Messages for which an empty box keeps room: 32 KiB. A burst is not to be kept in memory by each
/// subscriber that ever fell behind.
const KEPT_LEN: usize = 1024;

#[derive(Debug, Default)]
struct Contents {
    messages: VecDeque<Bytes>,
    messages_bytes: usize,
    /// But for what is held, which `messages` knows.
    ledger: OutboxLedger,
    close: Option<CloseReason>,
}

/// Where a connection is served.
#[derive(Clone, Debug, Default)]
pub struct Seat {
    /// Its worker.
    pub worker: usize,
    /// Its place among the connections of that worker, taken again once it has gone.
    pub slot: usize,
    /// The worker's bell.
    pub bell: Arc<Bell>,
}

impl Contents {
    fn held(&self) -> Flow {
        Flow {
            messages: self.messages.len() as u64,
            bytes: self.messages_bytes as u64,
        }
    }

    /// Lets go of all messages and returns how many they were.
    fn empty(&mut self) -> Flow {
        let held = self.held();
        self.messages.clear();
        self.messages_bytes = 0;
        self.shrink();
        held
    }

    /// Gives back the room that an empty box needs no more.
    fn shrink(&mut self) {
        if self.messages.is_empty() && self.messages.capacity() > KEPT_LEN {
            self.messages = VecDeque::new();
        }
    }

    fn account(&self) -> OutboxLedger {
        let held = self.held();
        OutboxLedger {
            held,
            ..self.ledger
        }
    }
}

/// The box of one connection.
#[derive(Debug)]
pub struct Mailbox {
    client_id: u64,
    seat: Seat,
    /// The client's RESP version, for publishers to encode in. Changed only by its connection; a
    /// publisher that races with HELLO may use either.
    resp3: AtomicBool,
    /// Raised by whoever leaves something, lowered by the connection before it looks.
    notified: Flag,
    contents: Lock<Contents>,
    /// Bytes of published messages that wait now; a copy for CLIENT LIST.
    backlog_bytes: AtomicUsize,
    /// Messages let go of because the box was full.
    dropped_messages: AtomicU64,
}

impl Mailbox {
    /// An empty box for the connection in `seat`.
    pub fn new(client_id: u64, seat: Seat) -> Self {
        Self {
            client_id,
            seat,
            resp3: AtomicBool::new(false),
            notified: Flag::default(),
            contents: Lock::default(),
            backlog_bytes: AtomicUsize::new(0),
            dropped_messages: AtomicU64::new(0),
        }
    }

    /// The client whose box this is.
    pub fn client_id(&self) -> u64 {
        self.client_id
    }

    /// The worker whose connection this is.
    pub fn worker(&self) -> usize {
        self.seat.worker
    }

    /// The RESP version to encode published messages in.
    pub fn resp(&self) -> Resp {
        if self.resp3.load(Ordering::Relaxed) {
            Resp::V3
        } else {
            Resp::V2
        }
    }

    /// Says which RESP version the client speaks from now on.
    pub fn set_resp(&self, resp: Resp) {
        self.resp3.store(resp == Resp::V3, Ordering::Relaxed);
    }

    /// Bytes of published messages that wait to be written.
    pub fn backlog_bytes(&self) -> usize {
        self.backlog_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that the list of waiting messages takes beside these.
    pub fn list_bytes(&self) -> usize {
        self.contents.lock().messages.capacity() * size_of::<Bytes>()
    }

    /// Messages that were let go of so far.
    pub fn dropped_messages(&self) -> u64 {
        self.dropped_messages.load(Ordering::Relaxed)
    }

    /// Leaves a published message, encoded in the client's RESP version.
    /// Returns how many messages were let go of for want of room.
    pub fn publish(
        self: &Arc<Self>,
        message: Bytes,
        bounds: OutboxBounds,
        wakes: &mut WakeList,
    ) -> u64 {
        let mut dropped = 0;
        let mut ends = false;
        {
            let mut contents = self.contents.lock();
            contents.ledger.came.add(message.len());
            let fits = |contents: &Contents| {
                contents.messages.is_empty()
                    || contents.messages_bytes + message.len() <= bounds.bytes_max
                        && contents.messages.len() < bounds.messages_max
            };
            if !fits(&contents) {
                match bounds.when_full {
                    WhenFull::DropOldest => {
                        // LOSS: outbox-oldest
                        while !fits(&contents) {
                            let Some(oldest) = contents.messages.pop_front() else {
                                break;
                            };
                            contents.messages_bytes -= oldest.len();
                            contents.ledger.dropped_oldest.add(oldest.len());
                            dropped += 1;
                        }
                    }
                    WhenFull::DropNewest => {
                        // LOSS: outbox-newest
                        contents.ledger.dropped_newest.add(message.len());
                        self.dropped_messages.fetch_add(1, Ordering::Relaxed);
                        return 1;
                    }
                    WhenFull::Disconnect => {
                        // LOSS: outbox-disconnect
                        dropped = contents.messages.len() as u64;
                        let held = contents.empty();
                        contents.ledger.disconnected.append(held);
                        ends = contents.close.is_none();
                        contents.close.get_or_insert(CloseReason::OutboxFull);
                    }
                }
            }
            if contents.close == Some(CloseReason::OutboxFull) {
                contents.ledger.disconnected.add(message.len());
                dropped += 1;
            } else {
                contents.messages_bytes += message.len();
                contents.messages.push_back(message);
            }
            self.backlog_bytes
                .store(contents.messages_bytes, Ordering::Relaxed);
        }
        if dropped > 0 {
            self.dropped_messages.fetch_add(dropped, Ordering::Relaxed);
        }
        if ends {
            self.call(wakes);
        } else {
            self.notify(wakes);
        }
        dropped
    }

    /// Has the connection look whether what it waits for is over.
    pub fn prompt(self: &Arc<Self>, wakes: &mut WakeList) {
        wakes.prompted_len += 1;
        self.notify(wakes);
    }

    /// Asks the connection to close, for the first reason that anyone gave.
    pub fn close(self: &Arc<Self>, reason: CloseReason, wakes: &mut WakeList) {
        self.contents.lock().close.get_or_insert(reason);
        self.call(wakes);
    }

    /// Whether somebody has asked the connection to close; it may not have heard yet.
    pub fn is_ending(&self) -> bool {
        self.contents.lock().close.is_some()
    }

    /// Wakes the connection even if it was told before: it may leave messages for when its socket
    /// takes more, but must not go on waiting for that when it is to end.
    fn call(self: &Arc<Self>, wakes: &mut WakeList) {
        self.notified.set();
        wakes.mailboxes.push(Arc::clone(self));
    }

    fn notify(self: &Arc<Self>, wakes: &mut WakeList) {
        if !self.notified.raise() {
            wakes.mailboxes.push(Arc::clone(self));
        }
    }

    /// Whether something may have been left since the connection last looked. For the connection.
    #[inline]
    pub fn is_notified(&self) -> bool {
        self.notified.is_raised()
    }

    /// Empties the box: messages go to `out` until it holds `out_bytes_max`, the others stay for a
    /// later look. Returns the wish that it close. For the connection.
    pub fn drain(&self, out: &mut Reply, out_bytes_max: usize) -> Option<CloseReason> {
        self.notified.lower();
        let mut contents = self.contents.lock();
        while out.len() < out_bytes_max {
            let Some(message) = contents.messages.pop_front() else {
                break;
            };
            contents.messages_bytes -= message.len();
            contents.ledger.taken.add(message.len());
            out.raw_shared(message);
        }
        contents.shrink();
        self.backlog_bytes
            .store(contents.messages_bytes, Ordering::Relaxed);
        if !contents.messages.is_empty() || contents.close.is_some() {
            self.notified.set();
        }
        contents.close
    }

    /// The account of the box.
    pub fn ledger(&self) -> OutboxLedger {
        self.contents.lock().account()
    }

    /// Ends the box, whose client nobody reaches any more: what waits in it is lost. Returns its
    /// account, which begins again with nothing.
    pub fn retire(&self) -> OutboxLedger {
        let mut contents = self.contents.lock();
        let held = contents.empty();
        // LOSS: outbox-closed
        contents.ledger.closed.append(held);
        self.backlog_bytes.store(0, Ordering::Relaxed);
        std::mem::take(&mut contents.ledger)
    }
}

/// Connections to wake once the locks are let go.
#[derive(Debug, Default)]
pub struct WakeList {
    mailboxes: SmallVec<[Arc<Mailbox>; 4]>,
    /// How many of them wait for something.
    prompted_len: usize,
}

impl WakeList {
    /// Whether nobody is to be woken.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.mailboxes.is_empty()
    }

    /// How many of them wait for something that may be over now.
    #[inline]
    pub fn prompted_len(&self) -> usize {
        self.prompted_len
    }

    /// Has each of them get a turn.
    pub fn wake(&mut self) {
        self.prompted_len = 0;
        let mut mailboxes = self.mailboxes.drain(..).peekable();
        while let Some(mailbox) = mailboxes.next() {
            let Seat { slot, bell, .. } = &mailbox.seat;
            let mut ringing = bell.0.lock();
            ringing.wanted.push(*slot);
            while let Some(next) =
                mailboxes.next_if(|next| Arc::ptr_eq(&next.seat.bell, &mailbox.seat.bell))
            {
                ringing.wanted.push(next.seat.slot);
            }
            let alarm = ringing.alarm_if_asleep();
            drop(ringing);
            if let Some(alarm) = alarm {
                alarm.wake();
            }
        }
    }
}

/// Which of a worker's connections others want to have a turn, and how to wake the worker.
#[derive(Debug, Default)]
pub struct Bell(Lock<Ringing>);

#[derive(Debug, Default)]
struct Ringing {
    /// Slots of connections.
    wanted: Vec<usize>,
    /// Whether the worker itself is wanted.
    is_rung: bool,
    /// Whether the worker sleeps, or will before it looks here again.
    is_asleep: bool,
    alarm: Option<Waker>,
}

impl Ringing {
    /// What wakes the worker, if that is needed and nobody did it yet.
    fn alarm_if_asleep(&mut self) -> Option<Waker> {
        if std::mem::take(&mut self.is_asleep) {
            self.alarm.clone()
        } else {
            None
        }
    }
}

impl Bell {
    /// Says what wakes the worker from its sleep.
    pub fn set_alarm(&self, alarm: Waker) {
        self.0.lock().alarm = Some(alarm);
    }

    /// Wakes the worker for something other than a connection.
    pub fn ring(&self) {
        let alarm = {
            let mut ringing = self.0.lock();
            ringing.is_rung = true;
            ringing.alarm_if_asleep()
        };
        if let Some(alarm) = alarm {
            alarm.wake();
        }
    }

    /// Moves the slots of wanted connections to `wanted`, first called first, and says whether somebody rang for the
    /// worker itself, which is awake from now on. For the worker.
    pub fn answer(&self, wanted: &mut VecDeque<usize>) -> bool {
        let mut ringing = self.0.lock();
        ringing.is_asleep = false;
        wanted.extend(ringing.wanted.drain(..));
        std::mem::take(&mut ringing.is_rung)
    }

    /// Whether somebody wants the worker or one of its connections. For the worker.
    pub fn is_wanted(&self) -> bool {
        let ringing = self.0.lock();
        ringing.is_rung || !ringing.wanted.is_empty()
    }

    /// Before the worker sleeps: says that it does, unless somebody rang. For the worker.
    pub fn may_sleep(&self) -> bool {
        let mut ringing = self.0.lock();
        ringing.is_asleep = ringing.wanted.is_empty() && !ringing.is_rung;
        ringing.is_asleep
    }
}
