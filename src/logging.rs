//! The log: where it goes, in which form, and from which level on.
//!
//! Built on `tracing`. A line below the level costs one relaxed load at its call site. The level can
//! change while the server runs; destination and form cannot.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use tracing::Dispatch;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::{Registry, reload};

use crate::config::{LogFormat, LogLevel, Settings};

/// Changes the level of a running log. Clones change the same log.
#[derive(Clone, Debug)]
pub struct LogHandle(reload::Handle<LevelFilter, Registry>);

impl LogHandle {
    /// Writes lines from this level on, and no others. Costs a rebuild of the filter of every call
    /// site, tens of microseconds.
    pub fn set_level(&self, level: LogLevel) {
        // It fails only when the log is gone, and then there is nothing to set.
        let _ = self.0.reload(filter(level));
    }
}

/// Starts the process's log as the settings say. Call once; fails if the log file cannot be opened
/// or if a log was started before.
pub fn start(settings: &Settings) -> anyhow::Result<LogHandle> {
    let (dispatch, handle) = match &settings.logfile {
        Some(path) => build(settings, open(path)?, false),
        None => build(settings, std::io::stdout, std::io::stdout().is_terminal()),
    };
    tracing::dispatcher::set_global_default(dispatch)?;
    Ok(handle)
}

fn open(path: &Path) -> anyhow::Result<Arc<std::fs::File>> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| anyhow::anyhow!("logfile {}: {error}", path.display()))?;
    Ok(Arc::new(file))
}

/// The log that `writer` receives; every line is one write.
fn build<W>(settings: &Settings, writer: W, colours: bool) -> (Dispatch, LogHandle)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .log_internal_errors(false);
    let lines = match settings.log_format {
        LogFormat::Plain => lines.with_target(false).with_ansi(colours).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let (filter, handle) = reload::Layer::new(filter(settings.loglevel));
    let log = tracing_subscriber::registry().with(filter).with(lines);
    (Dispatch::new(log), LogHandle(handle))
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::TRACE,
        LogLevel::Verbose => LevelFilter::DEBUG,
        LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Nothing => LevelFilter::OFF,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a log with these settings holds after `lines` ran.
    fn logged(settings: &Settings, lines: impl FnOnce(&LogHandle)) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let (dispatch, handle) = build(settings, open(&path).unwrap(), false);
        tracing::dispatcher::with_default(&dispatch, || lines(&handle));
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn level_changes_while_running() {
        let text = logged(&Settings::default(), |handle| {
            tracing::info!("first");
            tracing::debug!("hidden");
            handle.set_level(LogLevel::Verbose);
            tracing::debug!("second");
            tracing::trace!("hidden");
            handle.set_level(LogLevel::Nothing);
            tracing::error!("hidden");
            handle.set_level(LogLevel::Warning);
            tracing::warn!(client = 7, "third");
        });
        assert!(!text.contains("hidden"), "{text}");
        let messages: Vec<&str> = text.lines().map(|line| &line[28..]).collect();
        assert_eq!(
            messages,
            [" INFO first", "DEBUG second", " WARN third client=7"]
        );
    }

    #[test]
    fn json_is_one_object_per_line() {
        let settings = Settings {
            log_format: LogFormat::Json,
            ..Settings::default()
        };
        let text = logged(&settings, |_| tracing::info!(port = 7000, "listening"));
        assert!(text.starts_with('{') && text.ends_with("}\n"), "{text}");
        assert!(
            text.contains(r#""message":"listening","port":7000"#),
            "{text}"
        );
    }

    #[test]
    fn a_log_file_that_cannot_be_opened_is_named() {
        let error = open(Path::new("/nowhere/weir.log"))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("logfile /nowhere/weir.log: "), "{error}");
    }
}
