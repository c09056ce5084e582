//! Logs: a sentence that a person reads and fields that a machine reads, one line an event, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged and how.
#[derive(Clone, Debug)]
pub struct Logging {
    /// How lines look.
    pub format: LogFormat,
    /// What is logged, in the words of `RUST_LOG`.
    pub filter: String,
}

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("cannot read the log filter {0:?}: {1}")]
    Filter(String, #[source] ParseError),
    /// It has begun already.
    #[error("cannot begin to log: {0}")]
    Begun(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Begins to log, once in the life of the program. Colours only on a terminal and without `NO_COLOR`.
pub fn init(logging: &Logging) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&logging.filter).map_err(|e| TelemetryError::Filter(logging.filter.clone(), e))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    match logging.format {
        LogFormat::Text => lines.with_target(false).with_ansi(colour).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(TelemetryError::Begun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let logging = Logging { format: LogFormat::Text, filter: "preview_env=loud".to_owned() };
        assert!(init(&logging).unwrap_err().to_string().contains("preview_env=loud"));
    }
}
