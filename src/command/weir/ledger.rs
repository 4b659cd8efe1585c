//! WEIR.LEDGER, and the totals that it shares with INFO.

use crate::command::call::Call;
use crate::command::engine::Engine;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::limits::DATABASES;
use crate::outbox::OutboxLedger;
use crate::protocol::Args;
use crate::store::stream::Stream;
use crate::store::{Cause, Ledger, Shard, Tally};

/// The accounts of all queues and of all outboxes.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    queues: Ledger,
    streams: Ledger,
    /// Entries that went to dead-letter streams, and that groups let go of.
    dead_lettered: u64,
    exhausted: u64,
    outboxes: OutboxLedger,
}

impl Totals {
    /// Adds the queues and streams of a shard, in all databases.
    pub fn add_shard(&mut self, shard: &mut Shard) {
        for db in (0..DATABASES).filter_map(|db| u8::try_from(db).ok()) {
            self.queues.add(shard.ledger(db));
            self.streams.add(shard.streams_ledger(db));
        }
        self.dead_lettered += shard.dead_lettered;
        self.exhausted += shard.exhausted;
    }

    /// Adds all outboxes.
    pub fn add_outboxes(&mut self, engine: &Engine) {
        self.outboxes.append(&engine.outbox_ledger());
    }

    /// Names and numbers, in the order in which they are shown.
    pub fn fields(&self) -> Vec<(String, u64)> {
        let mut fields = queue_fields(&self.queues);
        add_tally("delayed", self.queues.delayed, &mut fields);
        flow_fields("stream_", &self.streams, &STREAM_CAUSES, &mut fields);
        for (name, entries) in [
            ("groups_dead_lettered", self.dead_lettered),
            ("groups_dropped", self.exhausted),
        ] {
            fields.push((name.to_owned(), entries));
        }
        let outboxes = &self.outboxes;
        for (name, flow) in [
            ("outbox_in", outboxes.came),
            ("outbox_out", outboxes.taken),
            ("outbox_held", outboxes.held),
            ("outbox_dropped_oldest", outboxes.dropped_oldest),
            ("outbox_dropped_newest", outboxes.dropped_newest),
            ("outbox_disconnected", outboxes.disconnected),
            ("outbox_closed", outboxes.closed),
        ] {
            fields.push((name.to_owned(), flow.messages));
            fields.push((format!("{name}_bytes"), flow.bytes));
        }
        fields
    }
}

/// What entries of streams may be lost by.
const STREAM_CAUSES: [Cause; 8] = [
    Cause::OverflowOldest,
    Cause::OverflowNewest,
    Cause::ExpiredAge,
    Cause::ExpiredKey,
    Cause::Trimmed,
    Cause::Removed,
    Cause::Deleted,
    Cause::Flushed,
];

type Fields = Vec<(String, u64)>;

fn add_tally(name: &str, tally: Tally, fields: &mut Fields) {
    fields.push((name.to_owned(), tally.messages));
    fields.push((format!("{name}_bytes"), tally.bytes));
}

/// The account of a queue, or of all, as names and numbers.
fn queue_fields(ledger: &Ledger) -> Fields {
    let mut fields = Vec::new();
    flow_fields("", ledger, &Cause::ALL, &mut fields);
    add_tally("returned", ledger.returned, &mut fields);
    fields
}

/// What came, and what became of it.
fn flow_fields(prefix: &str, ledger: &Ledger, causes: &[Cause], fields: &mut Fields) {
    let mut add = |name: &str, tally| add_tally(&format!("{prefix}{name}"), tally, fields);
    add("in", ledger.came);
    add("out", ledger.out);
    add("held", ledger.held());
    for &cause in causes {
        add(cause.name(), ledger.lost.of(cause));
    }
}

/// The account of a stream with those of its groups, whose names may be any bytes.
fn stream_fields(stream: &Stream) -> Vec<(Vec<u8>, u64)> {
    let mut fields = Vec::new();
    flow_fields("", &stream.ledger(), &STREAM_CAUSES, &mut fields);
    let mut fields = as_bytes(fields);
    for group in stream.groups() {
        let ledger = group.ledger();
        for (what, entries) in [
            ("delivered", ledger.delivered),
            ("redelivered", ledger.redelivered),
            ("acked", ledger.acked),
            ("pending", group.pending()),
            ("dead_lettered", ledger.dead_lettered),
            ("dropped", ledger.dropped),
            ("gone", ledger.gone),
            ("abandoned", ledger.abandoned),
        ] {
            let name = [b"group:", group.name(), b":", what.as_bytes()].concat();
            fields.push((name, entries));
        }
    }
    fields
}

fn as_bytes(fields: Fields) -> Vec<(Vec<u8>, u64)> {
    let fields = fields.into_iter();
    fields
        .map(|(name, count)| (name.into_bytes(), count))
        .collect()
}

/// WEIR.LEDGER [key]
pub fn ledger(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.len() > 2 {
        return Err(Error::Syntax);
    }
    let fields = if args.len() == 2 {
        let key = call.key(args.at(1));
        let now_ms = call.now_ms();
        let shard = call.shard(&key);
        if let Ok(Some(stream)) = shard.stream(&key, now_ms) {
            stream_fields(stream)
        } else {
            let ledger = shard.ledger_of(&key, now_ms)?.unwrap_or_default();
            as_bytes(queue_fields(&ledger))
        }
    } else {
        as_bytes(totals(call).fields())
    };
    call.reply.map(fields.len());
    for (name, count) in fields {
        call.reply.bulk(&name);
        call.reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }
    Ok(Outcome::Done)
}

/// The accounts of everything, from one walk of the shards.
fn totals(call: &mut Call<'_, '_>) -> Totals {
    let mut totals = Totals::default();
    let is_whole = call.held.is_pinned();
    call.each_shard(|_, shard| totals.add_shard(shard));
    // Walked one by one, the shards may have handed a queue on meanwhile.
    let is_settled = totals.queues.is_settled() && totals.streams.is_settled();
    debug_assert!(!is_whole || is_settled, "{totals:?}");
    totals.add_outboxes(call.engine);
    debug_assert!(totals.outboxes.is_balanced(), "{totals:?}");
    totals
}

#[cfg(test)]
mod tests {
    use super::stream_fields;
    use crate::command::testing::Bench;
    use crate::store::ShardSet;

    #[test]
    fn a_queue_has_an_account_that_outlives_its_key() {
        let bench = Bench::new();
        bench.run("RPUSH q aa b");
        bench.run("LPOP q 2");
        bench.run("RPUSH q ccc dddd");
        bench.run("LTRIM q 0 0");
        let ledger = bench.run("WEIR.LEDGER q");
        for field in [
            "$2 in :4 $8 in_bytes :10",
            "$3 out :2 $9 out_bytes :3",
            "$4 held :1 $10 held_bytes :3",
            "$7 trimmed :1 $13 trimmed_bytes :4",
        ] {
            assert!(ledger.contains(field), "{field} in {ledger}");
        }
        bench.run("DEL q");
        let ledger = bench.run("WEIR.LEDGER q");
        assert!(ledger.contains("$7 deleted :1 $13 deleted_bytes :3"));
    }

    #[test]
    fn the_account_of_a_very_long_name_ends_with_its_key() {
        let bench = Bench::new();
        for (name_bytes, came) in [(1024, 1), (1025, 0)] {
            let name = "n".repeat(name_bytes);
            bench.run(&format!("RPUSH {name} message"));
            bench.run(&format!("LPOP {name}"));
            let ledger = bench.run(&format!("WEIR.LEDGER {name}"));
            assert!(ledger.contains(&format!("$2 in :{came} ")), "{ledger}");
        }
        assert!(bench.run("WEIR.LEDGER").contains("$2 in :2 "));
    }

    #[test]
    fn names_take_their_account_along_and_totals_stay() {
        let bench = Bench::new();
        bench.run("RPUSH a 1 2 3");
        bench.run("RPOP a");
        bench.run("RENAME a b");
        assert!(bench.run("WEIR.LEDGER b").contains("$2 in :3"));
        assert!(bench.run("WEIR.LEDGER a").contains("$2 in :0"));
        bench.run("COPY b c");
        assert!(bench.run("WEIR.LEDGER c").contains("$2 in :2"));
        bench.run("LMOVE b c LEFT RIGHT");
        let mut client = bench.client();
        for command in ["MULTI", "WEIR.LEDGER", "INFO ledger"] {
            bench.play(&mut client, command);
        }
        let total = bench.play(&mut client, "EXEC");
        assert!(
            total.contains("$2 in :6 $8 in_bytes :6 $3 out :2"),
            "{total}"
        );
        assert!(total.contains(" in:6 in_bytes:6 out:2 "), "{total}");
        bench.run("SET s text");
        assert!(bench.run("WEIR.LEDGER s").starts_with("-WRONGTYPE"));
        assert_eq!(bench.run("WEIR.LEDGER a b"), "-ERR syntax error");
    }
    #[test]
    fn groups_of_any_name_have_an_account_each() {
        let bench = Bench::new();
        bench.run("XADD s 1-1 k v");
        let mut client = bench.client();
        for name in [&b"g\xff"[..], b"g\xfe"] {
            let words = [&b"XGROUP"[..], b"CREATE", b"s", name, b"0"];
            bench.play_args(&mut client, &words.map(<[u8]>::to_vec));
        }
        let mut held = bench.engine.keyspace.hold();
        held.need(ShardSet::ALL);
        let key = bench.engine.keyspace.key(0, b"s");
        let shard = held.shard_of(&key);
        let stream = shard.stream(&key, bench.now.unix_ms).unwrap().unwrap();
        let names: Vec<_> = stream_fields(stream)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert!(names.contains(&b"group:g\xff:delivered".to_vec()));
        assert!(names.contains(&b"group:g\xfe:delivered".to_vec()));
    }
}
