//! Queues under a policy: pushes that are refused, messages that go, and where dead letters go.
//!
//! Whoever adds to a queue asks [`check_room`] before and calls [`keep_bounds`] after, so that the
//! bounds hold when the command is over. Dead letters may go to a queue in another shard, and from
//! there on: [`spill_of`] says which shards, and the dispatcher holds them (see `serve`).

use std::sync::Arc;

use crate::config::Events;
use crate::overflow::{QueueBounds, QueueOverflow};
use crate::policy::{Governed, Kind};
use crate::protocol::Args;
use crate::store::Delayed;
use crate::store::queue::Popped;
use crate::store::{Cause, End, Key, Queue, ShardSet, Tally};

use super::call::{Call, keep};
use super::error::{Error, shown};
use super::outcome::{Outcome, Result};
use super::slowlog::cut;

/// Refuses what would not fit a queue whose policy refuses. `adding` is what comes, `leaving` what
/// goes by the same command.
#[inline]
pub(super) fn check_room(
    name: &[u8],
    queue: Option<&Queue>,
    bounds: Option<QueueBounds>,
    adding: Tally,
    leaving: Tally,
) -> Result<()> {
    let Some(bounds) = bounds.filter(|bounds| bounds.overflow == QueueOverflow::Reject) else {
        return Ok(());
    };
    let held = queue.map_or(Tally::default(), Queue::held);
    let mut after = held;
    after += adding;
    after -= leaving;
    // What shrinks a queue that is too full already is welcome.
    let is_more = after.messages > held.messages || after.bytes > held.bytes;
    if !is_more || bounds.hold(after.messages, after.bytes) {
        return Ok(());
    }
    Err(full(Kind::Queue, name, bounds, [held, adding, after]))
}

/// Refuses to put a queue that holds so much at a key, in place of what is there, whose policy
/// refuses what would not fit.
pub(super) fn check_replacement(
    call: &mut Call<'_, '_>,
    target: &Key<'_>,
    adding: Tally,
) -> Result<()> {
    let bounds = call.shard(target).bounds_of_new(target);
    check_room(target.name, None, bounds, adding, Tally::default())
}

/// Has what time has ended go from a queue until so much more fits, or nothing of that kind is left:
/// it takes no room.
pub(super) fn make_room(call: &mut Call<'_, '_>, key: &Key<'_>, adding: Tally) {
    freshen_while(call, key, |queue| {
        let mut after = queue.held();
        after += adding;
        let is_over = |bounds: QueueBounds| !bounds.hold(after.messages, after.bytes);
        queue.bounds().is_some_and(is_over)
    });
}

/// [`make_room`], and [`check_room`] after it: nothing is made at the key of what is refused.
pub(super) fn find_room(call: &mut Call<'_, '_>, key: &Key<'_>, adding: Tally) -> Result<()> {
    make_room(call, key, adding);
    let now_ms = call.now_ms();
    let Some(queue) = call.held.shard_of(key).queue(key, now_ms)? else {
        return check_replacement(call, key, adding);
    };
    let room = check_room(
        key.name,
        Some(&*queue),
        queue.bounds(),
        adding,
        Tally::default(),
    );
    if room.is_err() && queue.is_empty() {
        call.shard(key).remove_drained(key);
    }
    room
}

/// The refusal of what does not fit: it names what is full, the bound and the values.
#[cold]
pub(super) fn full(
    kind: Kind,
    name: &[u8],
    bounds: QueueBounds,
    [held, adding, after]: [Tally; 3],
) -> Error {
    let (kind, unit) = match kind {
        Kind::Stream => ("stream", "entries"),
        Kind::Queue | Kind::Channel => ("queue", "messages"),
    };
    let reason = if after.messages > bounds.length_max {
        let (max, has, more) = (bounds.length_max, held.messages, adding.messages);
        format!("' is full: max-length is {max}, it holds {has} {unit} and {more} more came")
    } else {
        let (max, has, more) = (bounds.bytes_max, held.bytes, adding.bytes);
        format!("' is full: max-bytes is {max}, it holds {has} bytes and {more} more came")
    };
    let opening = format!("OVERFLOW {kind} '");
    Error::Bytes([opening.as_bytes(), shown(name), reason.as_bytes()].concat())
}

/// The messages among the arguments from `first` on.
pub(super) fn tally_of(args: Args<'_>, first: usize) -> Tally {
    let mut sum = Tally::default();
    for message in args.from(first) {
        sum += Tally::one(message.len());
    }
    sum
}

/// Pushes one message that waited for its time, and has no client any more to be told. What finds
/// no place is counted.
pub(super) fn push_late(call: &mut Call<'_, '_>, key: &Key<'_>, late: &Delayed) {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let tally = Tally::one(late.message.len());
    let room = find_room(call, key, tally);
    let found = room.and_then(|()| Ok(call.held.shard_of(key).slot_or_new(key, now_ms)?));
    let Ok(mut slot) = found else {
        if let Ok(slot) = call.held.shard_of(key).slot_or_new(key, now_ms) {
            slot.queue.turn_away(Cause::DelayedLost, tally);
            if slot.queue.is_empty() {
                call.shard(key).remove_drained(key);
            }
        }
        // LOSS: delayed-lost
        let ledger = call.shard(key).ledger(key.db);
        ledger.came += tally;
        ledger.lost.add(Cause::DelayedLost, tally);
        return;
    };
    let before = slot.queue.came();
    slot.queue.push(late.end, &late.message, tick);
    slot.note_came(before);
    if let Some(ttl_ms) = late.ttl_ms {
        let ends_at = tick.saturating_add(ttl_ms);
        slot.queue.set_ttls([&*late.message], tick, ends_at);
    }
    let event = match late.end {
        End::Front => "lpush",
        End::Back => "rpush",
    };
    call.changed(key, Events::LIST, event);
    schedule(call, key);
    keep_bounds(call, key, Some(late.end));
}

/// Pushes messages to a queue under a policy, all of which end at `ends_at`.
pub(super) fn push(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    args: Args<'_>,
    first: usize,
    end: End,
    ends_at: Option<u64>,
) -> Result<PushedTo> {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let shard = call.held.shard_of(key);
    let mut slot = shard.slot_or_new(key, now_ms)?;
    let Some(bounds) = slot.queue.bounds() else {
        return Ok(PushedTo::default());
    };
    if bounds.overflow == QueueOverflow::Reject {
        let (queue, adding) = (Some(&*slot.queue), tally_of(args, first));
        if check_room(key.name, queue, Some(bounds), adding, Tally::default()).is_err() {
            find_room(call, key, adding)?;
            slot = call.held.shard_of(key).slot_or_new(key, now_ms)?;
        }
    }
    let is_new = slot.queue.is_empty();
    if args
        .from(first)
        .any(|message| is_oversized(message, bounds))
    {
        return push_around(call, key, args, first, end, ends_at);
    }
    let before = slot.queue.came();
    for message in args.from(first) {
        let keep = |message: &[u8]| keep(call.carrier, message);
        slot.queue.push_kept(end, message, tick, keep);
    }
    slot.note_came(before);
    // Before any of them goes again, which takes its time along.
    if let Some(ends_at) = ends_at {
        slot.queue.set_ttls(args.from(first), tick, ends_at);
    }
    if bounds.is_timed() {
        // What was pushed may be dropped again.
        slot.queue.note_active(tick);
        if slot.queue.scheduled() == 0 {
            schedule(call, key);
            slot = call.shard(key).slot_or_new(key, now_ms)?;
        }
    }
    let has_dead_letter = || {
        slot.queue
            .governed()
            .is_some_and(|g| g.dead_letter.is_some())
    };
    if bounds.hold(slot.queue.held().messages, slot.queue.bytes()) {
        let len = slot.queue.len();
        return Ok(PushedTo { is_new, len });
    }
    if bounds.overflow != QueueOverflow::DropOldest
        || has_dead_letter()
        || slot.queue.has_overdue(tick)
    {
        return Ok(push_over(call, key, end, is_new));
    }
    // LOSS: overflow-oldest
    slot.drop_surplus(&bounds, end.opposite(), Cause::OverflowOldest);
    let len = slot.queue.len();
    Ok(PushedTo { is_new, len })
}

/// What a push came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PushedTo {
    /// Whether the queue was empty before.
    pub is_new: bool,
    /// How many messages it holds after.
    pub len: usize,
}

/// Whether a message is larger than the whole queue may be, which lets go of it: it would push out all
/// others and then go itself.
#[inline]
fn is_oversized(message: &[u8], bounds: QueueBounds) -> bool {
    message.len() as u64 > bounds.bytes_max && bounds.overflow != QueueOverflow::Reject
}

/// Pushes messages some of which are oversized.
#[cold]
fn push_around(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    args: Args<'_>,
    first: usize,
    end: End,
    ends_at: Option<u64>,
) -> Result<PushedTo> {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let queue = call.held.shard_of(key).queue(key, now_ms)?;
    let is_new = queue.is_none_or(|queue| queue.is_empty());
    for message in args.from(first) {
        make_room(call, key, Tally::one(message.len()));
        if turn_away(call, key, message, Tally::default())? {
            continue;
        }
        let mut slot = call.held.shard_of(key).slot_or_new(key, now_ms)?;
        let before = slot.queue.came();
        slot.queue.push(end, message, tick);
        slot.queue.note_active(tick);
        slot.note_came(before);
        if let Some(ends_at) = ends_at {
            slot.queue.set_ttls([message], tick, ends_at);
        }
    }
    Ok(push_over(call, key, end, is_new))
}

/// Lets go of a message that comes to a queue and finds no place there, because it is oversized, or
/// because the policy lets go of what comes last: says whether that is so. `leaving` is what would go by
/// the same command.
pub(super) fn turn_away(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    message: &[u8],
    leaving: Tally,
) -> Result<bool> {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let mut slot = call.held.shard_of(key).slot_or_new(key, now_ms)?;
    let Some(governed) = slot.queue.governed().cloned() else {
        return Ok(false);
    };
    let bounds = governed.bounds;
    let mut after = slot.queue.held();
    after += Tally::one(message.len());
    after -= leaving;
    let is_last =
        bounds.overflow == QueueOverflow::DropNewest && !bounds.hold(after.messages, after.bytes);
    if !is_last && !is_oversized(message, bounds) {
        return Ok(false);
    }
    let before = slot.queue.came();
    slot.queue.push(End::Back, message, tick);
    slot.note_came(before);
    // LOSS: overflow-newest
    let surplus = Vec::from_iter(slot.queue.pop(End::Back));
    bury(call, key, &governed, Cause::OverflowNewest, surplus);
    remove_if_drained(call, key);
    Ok(true)
}

#[cold]
fn push_over(call: &mut Call<'_, '_>, key: &Key<'_>, end: End, is_new: bool) -> PushedTo {
    keep_bounds(call, key, Some(end));
    let now_ms = call.now_ms();
    let found = call.shard(key).queue(key, now_ms);
    let len = found.ok().flatten().map_or(0, |queue| queue.len());
    PushedTo { is_new, len }
}

/// Brings a queue within its bounds, if it is not. `pushed` is the end that was just pushed to;
/// without one the end with the older messages is the old one. A queue that is left with nothing
/// is removed. Queues that refuse what does not fit are left alone.
pub(super) fn keep_bounds(call: &mut Call<'_, '_>, key: &Key<'_>, pushed: Option<End>) {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let shard = call.held.shard_of(key);
    let Ok(Some(mut slot)) = shard.slot(key, now_ms) else {
        return;
    };
    if slot.queue.is_timed() && slot.queue.scheduled() == 0 {
        schedule(call, key);
        let Ok(Some(again)) = call.shard(key).slot(key, now_ms) else {
            return;
        };
        slot = again;
    }
    if slot.queue.is_over() && slot.queue.has_overdue(tick) {
        make_room(call, key, Tally::default());
        let Ok(Some(fresh)) = call.held.shard_of(key).slot(key, now_ms) else {
            return;
        };
        slot = fresh;
    }
    if !slot.queue.is_over() {
        return;
    }
    let Some(governed) = slot.queue.governed().cloned() else {
        return;
    };
    // What goes may be what was pushed last.
    slot.queue.note_active(slot.queue.active());
    let old_end = pushed.map_or_else(|| slot.queue.old_end(), End::opposite);
    drop_oversized(call, key, &governed, old_end.opposite());
    // LOSS: overflow-oldest
    // LOSS: overflow-newest
    let (end, cause) = match governed.bounds.overflow {
        QueueOverflow::Reject => return,
        QueueOverflow::DropOldest => (old_end, Cause::OverflowOldest),
        QueueOverflow::DropNewest => (old_end.opposite(), Cause::OverflowNewest),
    };
    let Ok(Some(mut slot)) = call.held.shard_of(key).slot(key, now_ms) else {
        return;
    };
    if governed.dead_letter.is_some() {
        let mut surplus = slot.queue.take_surplus(&governed.bounds, end);
        if end != old_end {
            surplus.reverse();
        }
        bury(call, key, &governed, cause, surplus);
    } else {
        slot.drop_surplus(&governed.bounds, end, cause);
    }
    call.shard(key).watched.changed(key);
    remove_if_drained(call, key);
}

/// How many messages there are in the list at a key, of which `count` are to be popped at one end:
/// none of these is too old. `None` where there is no list.
#[inline]
pub(super) fn ready_len(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    end: End,
    count: usize,
) -> Result<Option<usize>> {
    let now_ms = call.now_ms();
    let tick = call.tick();
    match call.held.shard_of(key).queue(key, now_ms)? {
        None => Ok(None),
        Some(queue) if queue.is_plain() => Ok(Some(queue.len())),
        Some(queue) => {
            queue.note_consumed(tick);
            if !queue.has_overdue(tick) {
                return Ok(Some(queue.len()));
            }
            let count = count.min(queue.len());
            freshen_end(call, key, end, count);
            let queue = call.held.shard_of(key).queue(key, now_ms)?;
            Ok(queue.map(|queue| queue.len()))
        }
    }
}

/// Lets go of messages that time has ended until none is among the `count` at one end.
#[cold]
fn freshen_end(call: &mut Call<'_, '_>, key: &Key<'_>, end: End, count: usize) {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    // As many in a step as are looked at after it.
    let limit = count.max(MOVED_PER_HOLD_MAX);
    while freshen(call, key, limit)
        && let Ok(Some(queue)) = call.held.shard_of(key).queue(key, now_ms)
        && queue.has_overdue(tick)
        && queue.has_overdue_at(end, count, tick)
    {}
}

/// Has all go from a queue that time has ended, before it comes to where that would not be known.
pub(super) fn freshen_all(call: &mut Call<'_, '_>, key: &Key<'_>) {
    freshen_while(call, key, |_| true);
}

/// Has what time has ended go from a queue while that is wanted, or until nothing of it is left.
fn freshen_while(call: &mut Call<'_, '_>, key: &Key<'_>, is_wanted: impl Fn(&Queue) -> bool) {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    while let Ok(Some(queue)) = call.held.shard_of(key).queue(key, now_ms)
        && queue.has_overdue(tick)
        && is_wanted(queue)
        && freshen(call, key, MOVED_PER_HOLD_MAX)
    {}
}

/// Lets go of at most `limit` messages whose own time is over; says whether any was there.
fn end_messages(call: &mut Call<'_, '_>, key: &Key<'_>, limit: usize) -> bool {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let Ok(Some(slot)) = call.held.shard_of(key).slot(key, now_ms) else {
        return false;
    };
    let governed = slot.queue.governed().cloned().unwrap_or_default();
    let ended = slot.queue.take_ended(tick, limit);
    if ended.is_empty() {
        return false;
    }
    // LOSS: expired-ttl
    bury(call, key, &governed, Cause::ExpiredTtl, ended);
    remove_if_drained(call, key);
    call.shard(key).watched.changed(key);
    true
}

/// Lets go of messages whose own time is over, or that are older than the policy of their queue
/// allows: at most `limit` of each, but for those that go as whole segments. Says whether any was
/// there.
fn freshen(call: &mut Call<'_, '_>, key: &Key<'_>, limit: usize) -> bool {
    let has_ended = end_messages(call, key, limit);
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let Ok(Some(mut slot)) = call.held.shard_of(key).slot(key, now_ms) else {
        return has_ended;
    };
    let stale_before = slot.queue.stale_before(tick);
    let oldest = slot.queue.oldest_arrival();
    let Some(governed) = slot.queue.governed().cloned() else {
        return has_ended;
    };
    if oldest.is_none_or(|oldest| oldest >= stale_before) {
        return has_ended;
    }
    // LOSS: expired-age
    if governed.dead_letter.is_some() || slot.queue.has_ttls() {
        let stale = slot.queue.take_stale(stale_before, limit);
        bury(call, key, &governed, Cause::ExpiredAge, stale);
    } else {
        let before = slot.queue.gone();
        slot.queue.drop_stale(stale_before);
        slot.note_lost(Cause::ExpiredAge, before);
    }
    remove_if_drained(call, key);
    call.shard(key).watched.changed(key);
    true
}

/// Bytes of a queue's name that its dead letters are told of with.
const LETTER_NAME_BYTES_MAX: usize = 1024;

/// Messages of one queue that a tick ends, or moves, while it holds their shards.
const MOVED_PER_HOLD_MAX: usize = 1024;

/// Lets go of all messages of a queue that nobody has used for as long as its policy says.
fn forget(call: &mut Call<'_, '_>, key: &Key<'_>) {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let shard = call.held.shard_of(key);
    let is_waited_for = shard.lines.get(key).is_some();
    let Ok(Some(slot)) = shard.slot(key, now_ms) else {
        return;
    };
    if is_waited_for {
        slot.queue.note_active(tick);
    }
    let Some(governed) = slot.queue.governed().cloned() else {
        return;
    };
    if !slot.queue.is_forgotten(tick) {
        return;
    }
    // LOSS: expired-idle
    if governed.dead_letter.is_some() {
        let all = slot.queue.take_stale(u64::MAX, MOVED_PER_HOLD_MAX);
        bury(call, key, &governed, Cause::ExpiredIdle, all);
    } else {
        slot.ledger.lost.add(Cause::ExpiredIdle, slot.queue.held());
        slot.queue.lose_all(Cause::ExpiredIdle);
    }
    remove_if_drained(call, key);
    call.shard(key).watched.changed(key);
}

/// Does what time asks of the queue at a key. The shard, those of dead-letter queues and those of
/// waiters are held.
pub(super) fn look_after(call: &mut Call<'_, '_>, key: &Key<'_>) {
    freshen(call, key, MOVED_PER_HOLD_MAX);
    forget(call, key);
    schedule(call, key);
}

/// Sees to it that somebody looks after the queue at a key when time has changed it.
pub(super) fn schedule(call: &mut Call<'_, '_>, key: &Key<'_>) {
    let prompt = call.shard(key).schedule(key);
    call.engine.early.call_at(call.worker, prompt);
}

/// Lets go of messages at one end that are larger than the whole queue may be: there they would
/// push out all others and then go themselves.
fn drop_oversized(call: &mut Call<'_, '_>, key: &Key<'_>, governed: &Arc<Governed>, end: End) {
    let now_ms = call.now_ms();
    loop {
        let Ok(Some(slot)) = call.held.shard_of(key).slot(key, now_ms) else {
            return;
        };
        let newest = slot.queue.peek(end);
        if newest.is_none_or(|(message, _)| !is_oversized(message.bytes(), governed.bounds)) {
            return;
        }
        slot.queue.take_ttl(end);
        let surplus = Vec::from_iter(slot.queue.pop(end));
        bury(call, key, governed, Cause::OverflowNewest, surplus);
    }
}

/// Removes the key of a list that has drained, and tells of it.
pub(super) fn remove_if_drained(call: &mut Call<'_, '_>, key: &Key<'_>) {
    let now_ms = call.now_ms();
    let found = call.shard(key).queue(key, now_ms);
    if found.is_ok_and(|queue| queue.is_some_and(|queue| queue.is_empty())) {
        call.shard(key).remove_drained(key);
        call.changed(key, Events::GENERIC, "del");
    }
}

/// Counts messages that a policy took out of a queue: those that find a place in the dead-letter
/// queue as moved there, the others as lost for the cause. Oldest first.
pub(super) fn bury(
    call: &mut Call<'_, '_>,
    source: &Key<'_>,
    governed: &Governed,
    cause: Cause,
    messages: Vec<Popped>,
) {
    let mut buried = Tally::default();
    let mut lost = Tally::default();
    let mut found_place = false;
    let grave = governed.dead_letter.as_deref();
    let grave = grave.map(|name| call.engine.keyspace.key(source.db, name));
    for Popped { message, arrival } in messages {
        let tally = Tally::one(message.len());
        let is_buried = grave
            .as_ref()
            .is_some_and(|grave| lay(call, grave, source, cause, &message, arrival));
        if is_buried {
            buried += tally;
            found_place = true;
        } else {
            lost += tally;
        }
    }
    let now_ms = call.now_ms();
    if let Ok(Some(slot)) = call.held.shard_of(source).slot(source, now_ms) {
        for (cause, tally) in [(Cause::DeadLettered, buried), (cause, lost)] {
            slot.queue.note_lost(cause, tally);
            slot.ledger.lost.add(cause, tally);
        }
    }
    if let Some(grave) = grave.filter(|_| found_place) {
        call.changed(&grave, Events::LIST, "rpush");
        keep_bounds(call, &grave, Some(End::Back));
    }
}

/// Puts one message into a dead-letter queue, unless that has no place for it.
fn lay(
    call: &mut Call<'_, '_>,
    grave: &Key<'_>,
    source: &Key<'_>,
    cause: Cause,
    message: &crate::store::queue::Message,
    arrival: u64,
) -> bool {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    if find_room(call, grave, Tally::one(message.len())).is_err() {
        return false;
    }
    match turn_away(call, grave, message, Tally::default()) {
        Ok(false) => {}
        Ok(true) => return true,
        Err(_) => return false,
    }
    let Ok(mut slot) = call.held.shard_of(grave).slot_or_new(grave, now_ms) else {
        return false;
    };
    let is_new = slot.queue.is_empty();
    let before = slot.queue.came();
    slot.queue.push_message(End::Back, message.clone(), tick);
    slot.note_came(before);
    let waited_ms = tick.saturating_sub(arrival);
    let source_name = cut(source.name, LETTER_NAME_BYTES_MAX).into_boxed_slice();
    slot.queue
        .note_letter(source_name, cause, now_ms, waited_ms);
    if is_new {
        call.notify(grave, Events::NEW, "new");
    }
    true
}

/// Cuts queues that came to their key with more than their policy allows.
#[inline]
pub(super) fn settle(call: &mut Call<'_, '_>) {
    if call.held.any(|shard| !shard.unsettled.is_empty()) {
        settle_all(call);
    }
}

#[cold]
fn settle_all(call: &mut Call<'_, '_>) {
    loop {
        let mut unsettled = Vec::new();
        for (_, shard) in call.held.shards() {
            unsettled.append(&mut shard.unsettled);
        }
        if unsettled.is_empty() {
            return;
        }
        for key in unsettled {
            // Another policy may ask for it earlier than the one before.
            schedule(call, &key.as_key());
            keep_bounds(call, &key.as_key(), None);
        }
    }
}

/// The shards that pushes to and pops from this key may spill on: those of its dead-letter queue,
/// of that queue's own, and so on.
pub(super) fn spill_of(call: &mut Call<'_, '_>, key: &Key<'_>) -> ShardSet {
    let mut set = ShardSet::EMPTY;
    let governed = call.shard(key).governing(key);
    let Some(first) = governed.as_ref().and_then(|g| g.dead_letter.as_deref()) else {
        return set;
    };
    let policies = call.engine.policies();
    let mut next = Some(first);
    // Policies have no circles.
    while let Some(name) = next {
        let grave = call.engine.keyspace.key(key.db, name);
        set.insert(call.engine.keyspace.shard_of(&grave));
        next = policies.dead_letter_of(Kind::Queue, name);
    }
    set
}

/// Replies with the length after a push, like LPUSH.
pub(super) fn reply_pushed(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    pushed: PushedTo,
    event: &str,
) -> Outcome {
    call.reply
        .integer(i64::try_from(pushed.len).unwrap_or(i64::MAX));
    if pushed.is_new {
        call.notify(key, Events::NEW, "new");
    }
    call.changed(key, Events::LIST, event);
    Outcome::Done
}
