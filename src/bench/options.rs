//! The command line of `weir bench`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum, value_parser};

use super::link::Target;
use super::stamp::STAMP_BYTES;

/// A kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the word on the command line")]
pub enum Test {
    Lpush,
    Rpop,
    Set,
    Get,
    Publish,
    Handoff,
    Fanout,
    Groups,
    Sidekiq,
    Celery,
    Bullmq,
    Mixed,
    Run,
}

impl Test {
    const ALL: [Self; 13] = [
        Self::Lpush,
        Self::Rpop,
        Self::Set,
        Self::Get,
        Self::Publish,
        Self::Handoff,
        Self::Fanout,
        Self::Groups,
        Self::Sidekiq,
        Self::Celery,
        Self::Bullmq,
        Self::Mixed,
        Self::Run,
    ];

    /// Its word on the command line; of a single command, the command in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lpush => "lpush",
            Self::Rpop => "rpop",
            Self::Set => "set",
            Self::Get => "get",
            Self::Publish => "publish",
            Self::Handoff => "handoff",
            Self::Fanout => "fanout",
            Self::Groups => "groups",
            Self::Sidekiq => "sidekiq",
            Self::Celery => "celery",
            Self::Bullmq => "bullmq",
            Self::Mixed => "mixed",
            Self::Run => "run",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Lpush => "LPUSH to one list, drained and checked afterwards",
            Self::Rpop => "RPOP from one list, filled before",
            Self::Set => "SET of one key",
            Self::Get => "GET of one key",
            Self::Publish => "PUBLISH to a channel that nobody hears",
            Self::Handoff => "LPUSH to consumers that are blocked in BRPOP",
            Self::Fanout => "PUBLISH to subscribers",
            Self::Groups => "XADD, XREADGROUP and XACK",
            Self::Sidekiq => "SADD and LPUSH; BRPOP of many queues",
            Self::Celery => "LPUSH; BRPOP of the four queues of priorities",
            Self::Bullmq => "LPUSH and a marker; BZPOPMIN, RPOPLPUSH, LREM",
            Self::Mixed => "the three frameworks at once",
            Self::Run => "the commands of --run, each for itself",
        }
    }

    /// Whether each connection works for itself, with a pipeline of requests.
    pub fn is_single(self) -> bool {
        matches!(
            self,
            Self::Lpush | Self::Rpop | Self::Set | Self::Get | Self::Publish | Self::Run
        )
    }
}

impl ValueEnum for Test {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

/// A command of the user's own.
#[derive(Clone, Debug, Default)]
pub struct Repeated {
    /// Its name and arguments, in which `__rand_int__` stands for a random number.
    pub words: Vec<String>,
    /// What those numbers are below.
    pub range: u64,
}

/// One measurement.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kind of load.
    pub test: Test,
    /// What `Test::Run` runs; nothing for the others.
    pub repeated: Repeated,
    /// Requests, or messages of a producer, in flight without a rate.
    pub pipeline: usize,
    /// Connections that send.
    pub connections: usize,
    /// Connections that receive.
    pub consumers: usize,
    /// Queues, channels or streams.
    pub keys: usize,
    /// Consumer groups of each stream.
    pub groups: usize,
    /// Bytes of a message.
    pub size: usize,
    /// Messages per second.
    pub rate: Option<u64>,
    /// Messages at most.
    pub count: u64,
    /// Time at most.
    pub duration_us: u64,
}

impl Plan {
    /// What it measures: the test's name, or the command's in lower case.
    pub fn name(&self) -> String {
        let first = self.repeated.words.first();
        first.map_or_else(|| self.test.name().to_owned(), |word| word.to_lowercase())
    }

    /// A plan of one connection, for tests.
    #[cfg(test)]
    pub fn of_one(test: Test) -> Self {
        Self {
            test,
            repeated: Repeated::default(),
            pipeline: 16,
            connections: 1,
            consumers: 1,
            keys: 1,
            groups: 1,
            size: 64,
            rate: None,
            count: 100,
            duration_us: 1_000_000,
        }
    }
}

/// What the command line asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server, and another one to compare it with.
    pub targets: Vec<Target>,
    /// What to measure, in order.
    pub plans: Vec<Plan>,
    /// How often.
    pub rounds: usize,
    /// Where to write JSON.
    pub json: Option<PathBuf>,
    /// Where to draw.
    pub svg: Option<PathBuf>,
    /// Whether to show how far it is.
    pub shows_progress: bool,
}

/// Rounds where two servers take turns.
const ROUNDS_VERSUS: usize = 5;
/// What the stamp of a message can tell apart.
const SOURCES_MAX: usize = 1 << 16;

const ABOUT: &str = "Loads a server that speaks the Redis protocol, and checks that every message \
arrives once and in order.";

const AFTER: &str = "\
With --rate, message n is due at n / RATE and is timed from then, ready or not: percentiles are \
free of coordinated omission. Without it, requests follow replies as fast as the server goes, and \
latency is only that of the pipeline. The first tenth of a run warms up and is not measured.

It uses and deletes keys that begin with weir-bench: and no others. Client and server share the \
machine's cores: pin them apart (taskset -c 1 weir bench ...). docs/BENCH.md tells more.

Exits with 0 if all was measured and every message came once and in order, with 1 if not.";

/// The command.
pub fn command() -> Command {
    let number = |id: &'static str, default: &'static str, help: &'static str| {
        Arg::new(id)
            .long(id)
            .value_name("N")
            .default_value(default)
            .value_parser(value_parser!(u64).range(1..))
            .help(help)
    };
    let text = |id: &'static str, name: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name(name).help(help)
    };
    let optional = |id: &'static str, help: &'static str| {
        Arg::new(id)
            .long(id)
            .value_name("N")
            .value_parser(value_parser!(u64).range(1..))
            .help(help)
    };
    Command::new("weir bench")
        .bin_name("weir bench")
        .about(ABOUT)
        .after_help(AFTER)
        .override_usage("weir bench [TEST]... [OPTIONS]")
        .arg(
            Arg::new("tests")
                .value_name("TEST")
                .num_args(0..)
                .value_parser(value_parser!(Test))
                .help("What to do; by default lpush, rpop, set, get, publish and handoff"),
        )
        .arg(
            text("server", "HOST:PORT", "The server")
                .short('s')
                .default_value("127.0.0.1:6379"),
        )
        .arg(text("vs", "HOST:PORT", "Another server: the two take turns, and ratios are printed"))
        .arg(optional("rounds", "How often each test runs on each server [1, with --vs 5]"))
        .arg(optional("rate", "Messages per second; as fast as they go without"))
        .arg(number("count", "1000000", "End a test after so many messages"))
        .arg(number("seconds", "5", "End a test after so long"))
        .arg(number("connections", "50", "Connections that send").short('c'))
        .arg(optional("consumers", "Connections that receive [as many as send]"))
        .arg(optional("keys", "Queues, channels or streams [1, for sidekiq and mixed 8]"))
        .arg(number("groups", "1", "Consumer groups of each stream"))
        .arg(
            Arg::new("pipeline")
                .long("pipeline")
                .short('P')
                .value_name("N,...")
                .default_value("1,16")
                .value_delimiter(',')
                .value_parser(value_parser!(u64).range(1..=100_000))
                .help("Requests in flight on each connection; of the other tests, messages on their way from each producer"),
        )
        .args(run_args())
        .arg(number("size", "64", "Bytes of a message, at least 28"))
        .arg(text("user", "NAME", "User to authenticate as"))
        .arg(text("password", "WORD", "Password, of both servers"))
        .arg(text("json", "FILE", "Write all figures as JSON; - for standard output").value_parser(value_parser!(PathBuf)))
        .arg(text("svg", "FILE", "Draw the latencies").value_parser(value_parser!(PathBuf)))
        .arg(
            Arg::new("quiet")
                .long("quiet")
                .short('q')
                .action(ArgAction::SetTrue)
                .help("Do not show how far it is"),
        )
}

/// The arguments for commands of the user's own.
fn run_args() -> [Arg; 2] {
    let run = Arg::new("run")
        .long("run")
        .value_name("COMMAND")
        .action(ArgAction::Append)
        .help(
            "Measure this command, words apart by blanks; __rand_int__ becomes twelve digits. Its \
             keys are the user's: nothing is prepared, checked or deleted",
        );
    let range = Arg::new("range")
        .long("range")
        .value_name("N")
        .default_value("100000")
        .value_parser(value_parser!(u64).range(1..))
        .help("Numbers for __rand_int__ are below this");
    [run, range]
}

/// Reads the command line; the first argument is the program's name.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Options, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(args)?;
    let refuse = |message: &str| {
        Err(command
            .clone()
            .error(clap::error::ErrorKind::ValueValidation, message))
    };
    let targets = ["server", "vs"]
        .into_iter()
        .filter_map(|id| matches.get_one::<String>(id))
        .map(|name| Target {
            name: with_host(name),
            user: matches.get_one("user").cloned(),
            password: matches.get_one("password").cloned(),
        })
        .collect::<Vec<_>>();
    let plans = plans(&matches);
    if plans.is_empty() {
        return refuse("run needs a command: --run 'INCR counter'");
    }
    if plans.iter().any(|plan| plan.size < STAMP_BYTES) {
        return refuse("--size is 28 at least: a message carries who sent it and when");
    }
    let too_many = |plan: &Plan| {
        let lanes = 12 * plan.keys;
        plan.connections.saturating_mul(lanes) > SOURCES_MAX || plan.consumers > SOURCES_MAX
    };
    if plans.iter().any(too_many) {
        return refuse("too many: 5000 pairs of a connection and a key");
    }
    let rounds = get(&matches, "rounds");
    Ok(Options {
        rounds: rounds.unwrap_or(if targets.len() == 1 { 1 } else { ROUNDS_VERSUS }),
        targets,
        plans,
        json: matches.get_one("json").cloned(),
        svg: matches.get_one("svg").cloned(),
        shows_progress: !matches.get_flag("quiet"),
    })
}

/// A server of which only the port is given is on this machine.
fn with_host(server: &str) -> String {
    if server.starts_with(':') {
        format!("127.0.0.1{server}")
    } else {
        server.to_owned()
    }
}

fn get(matches: &ArgMatches, id: &str) -> Option<usize> {
    let number = matches.get_one::<u64>(id)?;
    Some(usize::try_from(*number).unwrap_or(usize::MAX))
}

/// The commands of the user's own.
fn runs(matches: &ArgMatches) -> Vec<Repeated> {
    let range = matches.get_one::<u64>("range").copied().unwrap_or(1);
    let texts = matches.get_many::<String>("run").into_iter().flatten();
    let words = |text: &String| text.split_whitespace().map(str::to_owned).collect();
    texts
        .map(|text| Repeated {
            words: words(text),
            range,
        })
        .filter(|run| !run.words.is_empty())
        .collect()
}

/// The measurements: each test at each depth of the pipeline.
fn plans(matches: &ArgMatches) -> Vec<Plan> {
    let number = |id: &str| get(matches, id).unwrap_or(1);
    let mut tests: Vec<Test> = matches
        .get_many("tests")
        .map_or_else(Vec::new, |tests| tests.copied().collect());
    let runs = runs(matches);
    if tests.is_empty() && runs.is_empty() {
        tests = Test::ALL[..6].to_vec();
    }
    tests.retain(|test| *test != Test::Run);
    let tests = tests.into_iter().map(|test| (test, Repeated::default()));
    let runs = runs.into_iter().map(|run| (Test::Run, run));
    let depths: Vec<usize> = matches
        .get_many::<u64>("pipeline")
        .into_iter()
        .flatten()
        .map(|depth| usize::try_from(*depth).unwrap_or(usize::MAX))
        .collect();
    let is_given = matches.value_source("pipeline") == Some(clap::parser::ValueSource::CommandLine);
    let rate = matches.get_one::<u64>("rate").copied();
    let mut plans = Vec::new();
    for (test, repeated) in tests.chain(runs) {
        let depths = match (test.is_single(), is_given, rate) {
            // With a rate there is no pipeline: what falls due is sent.
            (_, _, Some(_)) => &[1][..],
            (false, false, None) => &depths[..1],
            _ => &depths,
        };
        let many = matches!(test, Test::Sidekiq | Test::Mixed);
        plans.extend(depths.iter().map(|pipeline| {
            Plan {
                test,
                repeated: repeated.clone(),
                pipeline: *pipeline,
                connections: number("connections"),
                consumers: get(matches, "consumers").unwrap_or(number("connections")),
                keys: get(matches, "keys").unwrap_or(if many { 8 } else { 1 }),
                groups: number("groups"),
                size: number("size"),
                rate,
                count: matches.get_one::<u64>("count").copied().unwrap_or(1),
                duration_us: matches
                    .get_one::<u64>("seconds")
                    .map_or(1, |seconds| seconds.saturating_mul(1_000_000)),
            }
        }));
    }
    plans
}

#[cfg(test)]
mod tests {
    use super::super::results::label;
    use super::*;

    fn read(line: &str) -> Result<Options, clap::Error> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_help_page_names_every_test() {
        let page = command().render_long_help().to_string();
        for test in Test::ALL {
            assert!(page.contains(&format!("- {}", test.name())), "{page}");
        }
    }

    #[test]
    fn defaults_measure_the_core_commands_at_two_depths() {
        let options = read("bench").unwrap();
        assert_eq!(options.rounds, 1);
        assert_eq!(options.targets.len(), 1);
        let of = |test| {
            options
                .plans
                .iter()
                .filter(|plan| plan.test == test)
                .count()
        };
        assert_eq!(
            (of(Test::Lpush), of(Test::Handoff), options.plans.len()),
            (2, 1, 11)
        );
    }

    #[test]
    fn two_servers_take_turns() {
        let line = "bench rpop mixed --vs h:1 --pipeline 64 --rate 100 --seconds 2 --password x";
        let options = read(line).unwrap();
        assert_eq!((options.rounds, options.targets.len()), (ROUNDS_VERSUS, 2));
        assert_eq!(options.targets[1].password.as_deref(), Some("x"));
        let plan = &options.plans[1];
        assert_eq!(
            (plan.pipeline, plan.keys, plan.duration_us),
            (1, 8, 2_000_000)
        );
    }

    #[test]
    fn a_port_alone_is_on_this_machine() {
        let options = read("bench get --server :7000 --vs :6380").unwrap();
        let names: Vec<&str> = options.targets.iter().map(|target| &*target.name).collect();
        assert_eq!(names, ["127.0.0.1:7000", "127.0.0.1:6380"]);
    }

    #[test]
    fn commands_of_the_users_own_are_tests() {
        let line = [
            "bench",
            "get",
            "--run",
            "ZADD z  1 a",
            "--run",
            "PING",
            "-P",
            "1,16",
        ];
        let options = parse(line.iter().map(OsString::from)).unwrap();
        let runs: Vec<_> = options.plans.iter().map(label).collect();
        let wanted = [
            "get P=1",
            "get P=16",
            "zadd P=1",
            "zadd P=16",
            "ping P=1",
            "ping P=16",
        ];
        assert_eq!(runs, wanted);
        assert_eq!(options.plans[2].repeated.words.len(), 4);
        assert!(read("bench run").is_err(), "what?");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in [
            "bench nothing",
            "bench --size 27",
            "bench --rate 0",
            "bench --keys 6000",
            "bench --pipeline 1,x",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
