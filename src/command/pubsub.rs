//! SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE PUBLISH SPUBLISH PUBSUB.

use bytes::Bytes;

use crate::config::Events;
use crate::flags;
use crate::outbox::WakeList;
use crate::protocol::{Args, Reply, Resp};
use crate::pubsub::{Delivery, Space};
use crate::store::Key;

use super::call::Call;
use super::engine::Engine;
use super::error::Error;
use super::help;
use super::outcome::{Outcome, Result};
use super::spec::{Command, Keys};

/// Publish and subscribe.
pub const COMMANDS: &[Command] = &[
    Command::new(
        "subscribe",
        -2,
        flags![PUBSUB, NOSCRIPT, LOADING, STALE, SUBSCRIBED],
        Keys::None,
        "pubsub",
        "2.0.0",
        "Listens for messages published to channels.",
        subscribe,
    ),
    Command::new(
        "unsubscribe",
        -1,
        flags![PUBSUB, NOSCRIPT, LOADING, STALE, SUBSCRIBED],
        Keys::None,
        "pubsub",
        "2.0.0",
        "Stops listening to messages posted to channels.",
        unsubscribe,
    ),
    Command::new(
        "psubscribe",
        -2,
        flags![PUBSUB, NOSCRIPT, LOADING, STALE, SUBSCRIBED],
        Keys::None,
        "pubsub",
        "2.0.0",
        "Listens for messages published to channels that match patterns.",
        psubscribe,
    ),
    Command::new(
        "punsubscribe",
        -1,
        flags![PUBSUB, NOSCRIPT, LOADING, STALE, SUBSCRIBED],
        Keys::None,
        "pubsub",
        "2.0.0",
        "Stops listening to channels that match patterns.",
        punsubscribe,
    ),
    Command::new(
        "ssubscribe",
        -2,
        flags![PUBSUB, NOSCRIPT, LOADING, STALE, SUBSCRIBED],
        Keys::None,
        "pubsub",
        "7.0.0",
        "Listens for messages published to shard channels.",
        ssubscribe,
    ),
    Command::new(
        "sunsubscribe",
        -1,
        flags![PUBSUB, NOSCRIPT, LOADING, STALE, SUBSCRIBED],
        Keys::None,
        "pubsub",
        "7.0.0",
        "Stops listening to messages posted to shard channels.",
        sunsubscribe,
    ),
    Command::new(
        "publish",
        3,
        flags![PUBSUB, LOADING, STALE, FAST, MAY_REPLICATE],
        Keys::None,
        "pubsub",
        "2.0.0",
        "Posts a message to a channel.",
        publish,
    ),
    Command::new(
        "spublish",
        3,
        flags![PUBSUB, LOADING, STALE, FAST, MAY_REPLICATE],
        Keys::None,
        "pubsub",
        "7.0.0",
        "Posts a message to a shard channel.",
        spublish,
    ),
    Command {
        name: "pubsub",
        arity: -2,
        flags: flags![],
        keys: Keys::None,
        group: "pubsub",
        since: "2.8.0",
        summary: "A container for publish and subscribe commands.",
        handler: help::container,
        subcommands: &[
            Command::new(
                "channels",
                -2,
                flags![PUBSUB, LOADING, STALE],
                Keys::None,
                "pubsub",
                "2.8.0",
                "Returns the active channels.",
                pubsub_channels,
            ),
            Command::new(
                "numsub",
                -2,
                flags![PUBSUB, LOADING, STALE],
                Keys::None,
                "pubsub",
                "2.8.0",
                "Returns a count of subscribers to channels.",
                pubsub_numsub,
            ),
            Command::new(
                "numpat",
                2,
                flags![PUBSUB, LOADING, STALE],
                Keys::None,
                "pubsub",
                "2.8.0",
                "Returns a count of unique pattern subscriptions.",
                pubsub_numpat,
            ),
            Command::new(
                "shardchannels",
                -2,
                flags![PUBSUB, LOADING, STALE],
                Keys::None,
                "pubsub",
                "7.0.0",
                "Returns the active shard channels.",
                pubsub_shardchannels,
            ),
            Command::new(
                "shardnumsub",
                -2,
                flags![PUBSUB, LOADING, STALE],
                Keys::None,
                "pubsub",
                "7.0.0",
                "Returns the count of subscribers of shard channels.",
                pubsub_shardnumsub,
            ),
            Command::new(
                "help",
                2,
                flags![LOADING, STALE],
                Keys::None,
                "pubsub",
                "6.2.0",
                "Returns helpful text about the different subcommands.",
                help::help,
            ),
        ],
    },
];

/// The three ways to subscribe.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Channel,
    Pattern,
    ShardChannel,
}

impl Way {
    fn subscribed(self) -> &'static [u8] {
        match self {
            Self::Channel => b"subscribe",
            Self::Pattern => b"psubscribe",
            Self::ShardChannel => b"ssubscribe",
        }
    }

    fn unsubscribed(self) -> &'static [u8] {
        match self {
            Self::Channel => b"unsubscribe",
            Self::Pattern => b"punsubscribe",
            Self::ShardChannel => b"sunsubscribe",
        }
    }
}

/// A message as its subscribers get it.
pub(super) fn encode_message(
    resp: Resp,
    space: Space,
    pattern: Option<&[u8]>,
    channel: &[u8],
    message: &[u8],
) -> Bytes {
    let mut reply = Reply::new(resp);
    reply.push(if pattern.is_some() { 4 } else { 3 });
    match (pattern, space) {
        (Some(pattern), _) => {
            reply.bulk(b"pmessage");
            reply.bulk(pattern);
        }
        (None, Space::Global) => reply.bulk(b"message"),
        (None, Space::Shard) => reply.bulk(b"smessage"),
    }
    reply.bulk(channel);
    reply.bulk(message);
    Bytes::from(reply.to_bytes())
}

/// Leaves a message with all subscribers of a channel and of the patterns that match it; returns
/// how many that were, and how many messages full outboxes let go of.
#[inline]
pub(super) fn deliver(
    engine: &Engine,
    space: Space,
    channel: &[u8],
    message: &[u8],
    wakes: &mut WakeList,
) -> (u64, u64) {
    let mut delivery = Delivery {
        bounds: engine.outbox_bounds_of(channel),
        wakes,
        receivers: 0,
        dropped: 0,
    };
    engine
        .pubsub
        .publish(space, channel, &mut delivery, |resp, pattern| {
            encode_message(resp, space, pattern, channel, message)
        });
    (delivery.receivers, delivery.dropped)
}

/// Publishes a keyspace notification on the channels that `wanted` asks for.
#[cold]
pub(super) fn publish_event(
    engine: &Engine,
    wanted: Events,
    key: &Key<'_>,
    event: &str,
    wakes: &mut WakeList,
) {
    if wanted.contains(Events::KEYSPACE) {
        let channel = [format!("__keyspace@{}__:", key.db).as_bytes(), key.name].concat();
        deliver(engine, Space::Global, &channel, event.as_bytes(), wakes);
    }
    if wanted.contains(Events::KEYEVENT) {
        let channel = format!("__keyevent@{}__:{event}", key.db);
        deliver(engine, Space::Global, channel.as_bytes(), key.name, wakes);
    }
}

/// SUBSCRIBE channel [channel ...]
fn subscribe(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    join(call, args, Way::Channel)
}

/// PSUBSCRIBE pattern [pattern ...]
fn psubscribe(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    join(call, args, Way::Pattern)
}

/// SSUBSCRIBE shardchannel [shardchannel ...]
fn ssubscribe(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if call.session.is_atomic {
        return Err(Error::text(
            "SSUBSCRIBE isn't allowed for a DENY BLOCKING client",
        ));
    }
    join(call, args, Way::ShardChannel)
}

fn join(call: &mut Call<'_, '_>, args: Args<'_>, way: Way) -> Result {
    let session = &call.session;
    let len = session.subscriptions_len() + session.shard_channels.len() + args.len() - 1;
    let len_max = call.engine.config.live().client_subscriptions_max();
    if len_max > 0 && len > len_max {
        return Err(Error::text(
            "too many subscriptions for one connection (client-subscriptions-limit)",
        ));
    }
    for name in args.from(1) {
        let session = &mut *call.session;
        let mailbox = &session.client.mailbox;
        let is_new = match way {
            Way::Channel => session.channels.insert(name),
            Way::Pattern => session.patterns.insert(name),
            Way::ShardChannel => session.shard_channels.insert(name),
        };
        if is_new {
            match way {
                Way::Channel => call.engine.pubsub.subscribe(Space::Global, name, mailbox),
                Way::Pattern => call.engine.pubsub.subscribe_pattern(name, mailbox),
                Way::ShardChannel => call.engine.pubsub.subscribe(Space::Shard, name, mailbox),
            }
        }
        confirm(call, way, way.subscribed(), Some(name));
    }
    call.session.note_state();
    Ok(Outcome::Done)
}

/// Writes the confirmation of one subscription or its end.
fn confirm(call: &mut Call<'_, '_>, way: Way, kind: &[u8], name: Option<&[u8]>) {
    let session = &call.session;
    let count = match way {
        Way::ShardChannel => session.shard_channels.len(),
        Way::Channel | Way::Pattern => session.subscriptions_len(),
    };
    // The reply to EXEC stays whole, sent or not.
    call.session.has_confirmed = !call.session.is_atomic;
    call.reply.push(3);
    call.reply.bulk(kind);
    match name {
        Some(name) => call.reply.bulk(name),
        None => call.reply.null(),
    }
    call.reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
}

/// UNSUBSCRIBE [channel ...]
fn unsubscribe(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    part(call, args, Way::Channel)
}

/// PUNSUBSCRIBE [pattern ...]
fn punsubscribe(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    part(call, args, Way::Pattern)
}

/// SUNSUBSCRIBE [shardchannel ...]
fn sunsubscribe(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    part(call, args, Way::ShardChannel)
}

fn part(call: &mut Call<'_, '_>, args: Args<'_>, way: Way) -> Result {
    let names: Vec<Box<[u8]>> = if args.len() > 1 {
        args.from(1).map(Into::into).collect()
    } else {
        match way {
            Way::Channel => call.session.channels.iter().map(Into::into).collect(),
            Way::Pattern => call.session.patterns.iter().map(Into::into).collect(),
            Way::ShardChannel => call.session.shard_channels.iter().map(Into::into).collect(),
        }
    };
    if names.is_empty() {
        confirm(call, way, way.unsubscribed(), None);
    }
    for name in names {
        leave_one(call, way, &name);
        // What was published before stands before the confirmation.
        if !call.session.is_atomic {
            call.take_mail();
        }
        confirm(call, way, way.unsubscribed(), Some(&name));
    }
    call.session.note_state();
    Ok(Outcome::Done)
}

fn leave_one(call: &mut Call<'_, '_>, way: Way, name: &[u8]) {
    let session = &mut *call.session;
    let mailbox = &session.client.mailbox;
    let pubsub = &call.engine.pubsub;
    match way {
        Way::Channel => {
            if session.channels.remove(name) {
                pubsub.unsubscribe(Space::Global, name, mailbox);
            }
        }
        Way::Pattern => {
            if session.patterns.remove(name) {
                pubsub.unsubscribe_pattern(name, mailbox);
            }
        }
        Way::ShardChannel => {
            if session.shard_channels.remove(name) {
                pubsub.unsubscribe(Space::Shard, name, mailbox);
            }
        }
    }
}

/// Ends all subscriptions without a word: RESET, or the client is gone.
pub(super) fn leave_all(call: &mut Call<'_, '_>) {
    for way in [Way::Channel, Way::Pattern, Way::ShardChannel] {
        let names = match way {
            Way::Channel => &call.session.channels,
            Way::Pattern => &call.session.patterns,
            Way::ShardChannel => &call.session.shard_channels,
        };
        let names: Vec<Box<[u8]>> = names.iter().map(Into::into).collect();
        for name in names {
            leave_one(call, way, &name);
        }
    }
    call.session.note_state();
}

/// PUBLISH channel message
fn publish(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    send(call, args, Space::Global)
}

/// SPUBLISH shardchannel message
fn spublish(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    send(call, args, Space::Shard)
}

fn send(call: &mut Call<'_, '_>, args: Args<'_>, space: Space) -> Result {
    let receivers = call.publish(space, args.at(1), args.at(2));
    call.reply
        .integer(i64::try_from(receivers).unwrap_or(i64::MAX));
    if receivers > 0 && call.session.is_subscribed() && !call.session.is_atomic {
        // A client that is among its own subscribers gets the reply first, then the message.
        call.collect_mail();
    }
    Ok(Outcome::Done)
}

/// PUBSUB CHANNELS [pattern]
fn pubsub_channels(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    list_channels(call, args, Space::Global)
}

/// PUBSUB SHARDCHANNELS [pattern]
fn pubsub_shardchannels(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    list_channels(call, args, Space::Shard)
}

fn list_channels(call: &mut Call<'_, '_>, args: Args<'_>, space: Space) -> Result {
    if args.len() > 3 {
        return Err(Error::subcommand("PUBSUB", args.at(1)));
    }
    let channels = call.engine.pubsub.channels(space, args.get(2));
    call.reply.array(channels.len());
    for channel in channels {
        call.reply.bulk(&channel);
    }
    Ok(Outcome::Done)
}

/// PUBSUB NUMSUB [channel ...]
fn pubsub_numsub(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    count_subscribers(call, args, Space::Global)
}

/// PUBSUB SHARDNUMSUB [shardchannel ...]
fn pubsub_shardnumsub(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    count_subscribers(call, args, Space::Shard)
}

fn count_subscribers(call: &mut Call<'_, '_>, args: Args<'_>, space: Space) -> Result {
    let channels = args.from(2);
    call.reply.array(channels.len() * 2);
    for channel in channels {
        call.reply.bulk(channel);
        let count = call.engine.pubsub.subscribers_len(space, channel);
        call.reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }
    Ok(Outcome::Done)
}

/// PUBSUB NUMPAT
fn pubsub_numpat(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let count = call.engine.pubsub.patterns_len();
    call.reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::command::testing::{Bench, Player};

    #[test]
    fn messages_come_whatever_becomes_of_replies() {
        let bench = Bench::new();
        let mut player = bench.client();
        bench.play(&mut player, "HELLO 3");
        for (before, command, expected) in [
            ("", "SUBSCRIBE c", ">3 $9 subscribe $1 c :1"),
            ("", "CLIENT REPLY OFF", ""),
            ("", "PUBLISH c 1", ">3 $7 message $1 c $1 1"),
            (
                "PUBLISH c 2",
                "EVAL redis.call('publish','c','3') 0",
                ">3 $7 message $1 c $1 2 >3 $7 message $1 c $1 3",
            ),
            ("", "MULTI", ""),
            ("", "PUBLISH c 4", ""),
            ("", "EXEC", ">3 $7 message $1 c $1 4"),
            ("PUBLISH c 5", "GET a", ">3 $7 message $1 c $1 5"),
            (
                "PUBLISH c 6",
                "UNSUBSCRIBE c",
                ">3 $7 message $1 c $1 6 >3 $11 unsubscribe $1 c :0",
            ),
            ("", "SUBSCRIBE c", ">3 $9 subscribe $1 c :1"),
            ("", "CLIENT REPLY ON", "+OK"),
            ("", "CLIENT REPLY SKIP", ""),
            ("", "PUBLISH c 7", ">3 $7 message $1 c $1 7"),
            ("", "PUBLISH c 8", ":1 >3 $7 message $1 c $1 8"),
        ] {
            if !before.is_empty() {
                assert_eq!(bench.run(before), ":1");
            }
            assert_eq!(bench.play(&mut player, command), expected, "{command}");
        }
        assert_eq!(player.look(), "");
    }

    #[test]
    fn pubsub_has_help() {
        let bench = Bench::new();
        assert!(
            bench
                .run("PUBSUB HELP")
                .starts_with("*13 +PUBSUB <subcommand>")
        );
        let refused = "-ERR unknown subcommand 'x'. Try PUBSUB HELP.";
        assert_eq!(bench.run("PUBSUB x"), refused);
    }

    #[test]
    fn skip_inside_a_transaction_is_about_what_follows_it() {
        let bench = Bench::new();
        let mut player = bench.client();
        for (command, expected) in [
            ("MULTI", "+OK"),
            ("CLIENT REPLY SKIP", "+QUEUED"),
            ("GET a", "+QUEUED"),
            ("GET a", "+QUEUED"),
            ("EXEC", "*3 $-1 $-1"),
            ("PING", ""),
            ("PING", "+PONG"),
        ] {
            assert_eq!(bench.play(&mut player, command), expected, "{command}");
        }
    }

    #[test]
    fn shard_channels_are_not_subscribed_to_in_a_transaction() {
        let bench = Bench::new();
        let mut player = bench.client();
        for command in ["MULTI", "SSUBSCRIBE c"] {
            bench.play(&mut player, command);
        }
        assert_eq!(
            bench.play(&mut player, "EXEC"),
            "*1 -ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"
        );
    }

    #[test]
    fn an_outbox_gives_back_what_a_burst_took() {
        let bench = Bench::new();
        let mut player = bench.client();
        bench.play(&mut player, "SUBSCRIBE c");
        let memory_bytes = |player: &Player| player.session.client.memory_bytes();
        let before = memory_bytes(&player);
        let mut publisher = bench.client();
        for _ in 0..5_000 {
            bench.play(&mut publisher, "PUBLISH c x");
        }
        let list_bytes = memory_bytes(&player) - before - player.session.client.waiting_bytes();
        assert!(list_bytes >= 5_000 * size_of::<Bytes>(), "{list_bytes}");
        player.look();
        assert_eq!(memory_bytes(&player), before);
    }

    #[test]
    fn subscriptions_are_confirmed_to_those_who_want_no_replies() {
        let bench = Bench::new();
        let mut player = bench.client();
        for (command, expected) in [
            ("CLIENT REPLY OFF", ""),
            ("SUBSCRIBE c", "*3 $9 subscribe $1 c :1"),
            ("PING", ""),
            ("UNSUBSCRIBE c", "*3 $11 unsubscribe $1 c :0"),
            ("GET a", ""),
        ] {
            assert_eq!(bench.play(&mut player, command), expected, "{command}");
        }
    }
}
