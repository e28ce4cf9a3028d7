//! Log lines on stderr: text for people, JSON for machines.
//!
//! Query strings are never logged: those of SAML and OpenID Connect carry messages, codes and
//! hints. A request is known by its reference id, its method and the route it matched.

use std::fmt;
use std::io::IsTerminal as _;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// Filter, in the syntax of `tracing`'s directives: `debug`, `sloop=debug,warn`. Default `info`.
const FILTER: &str = "SLOOP_LOG";
/// `text` (default) or `json`.
const FORMAT: &str = "SLOOP_LOG_FORMAT";
/// Set to anything: no colours (<https://no-color.org>).
const NO_COLOR: &str = "NO_COLOR";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text { colours: bool },
    Json,
}

/// Sends log lines and panics to stderr from here on. Called once, before anything is logged.
///
/// # Errors
/// [`TelemetryError`] when `SLOOP_LOG` or `SLOOP_LOG_FORMAT` cannot be understood.
pub fn init(env: impl Fn(&str) -> Option<String>) -> Result<(), TelemetryError> {
    let filter = filter(&env)?;
    let format = format(&env, std::io::stderr().is_terminal())?;
    tracing::subscriber::set_global_default(subscriber(filter, format, std::io::stderr))
        .map_err(|_| TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("of unknown type");
        tracing::error!(location, "panic: {message}");
    }));
    Ok(())
}

fn filter(env: &impl Fn(&str) -> Option<String>) -> Result<EnvFilter, TelemetryError> {
    let directives = env(FILTER).filter(|value| !value.is_empty()).unwrap_or_else(|| "info".into());
    EnvFilter::builder()
        .parse(&directives)
        .map_err(|_| TelemetryError::Filter { value: directives.clone() })
}

fn format(env: &impl Fn(&str) -> Option<String>, terminal: bool) -> Result<Format, TelemetryError> {
    let plain = env(NO_COLOR).is_some_and(|value| !value.is_empty());
    match env(FORMAT).as_deref() {
        None | Some("" | "text") => Ok(Format::Text { colours: terminal && !plain }),
        Some("json") => Ok(Format::Json),
        Some(other) => Err(TelemetryError::Format { value: other.to_owned() }),
    }
}

fn subscriber<W>(filter: EnvFilter, format: Format, out: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(out);
    match format {
        Format::Json => Box::new(lines.json().flatten_event(true).with_span_list(false).finish()),
        Format::Text { colours } => Box::new(
            lines.with_ansi(colours).fmt_fields(debug_fn(write_field).delimited(" ")).finish(),
        ),
    }
}

/// Writes one field on one line: a value that somebody sent us must not look like further lines.
fn write_field(
    writer: &mut Writer<'_>,
    field: &tracing::field::Field,
    value: &dyn fmt::Debug,
) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    for character in format!("{value:?}").chars() {
        match character {
            control if control.is_control() => write!(writer, "{}", control.escape_default())?,
            other => writer.write_char(other)?,
        }
    }
    Ok(())
}

/// Why logging cannot begin. The environment is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    #[error("SLOOP_LOG = {value:?} is no filter; write for example info or sloop=debug,warn")]
    Filter { value: String },
    #[error("SLOOP_LOG_FORMAT = {value:?} is unknown; write text or json")]
    Format { value: String },
    #[error("logging was already set up")]
    Twice,
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn log(format: Format, directives: &'static str, events: impl FnOnce()) -> String {
        let written = Written::default();
        let out = written.clone();
        let filter = filter(&|name: &str| (name == FILTER).then(|| directives.into())).unwrap();
        let subscriber = subscriber(filter, format, move || out.clone());
        tracing::subscriber::with_default(subscriber, events);
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    fn hostile() {
        let span = tracing::info_span!("request", route = "/logout");
        let sent = "x\nERROR forged\r\u{1b}[31m";
        span.in_scope(|| tracing::info!(sent = %sent, "took {sent}"));
    }

    #[test]
    fn a_value_cannot_forge_a_line_or_colour_a_terminal() {
        let text = log(Format::Text { colours: false }, "info", hostile);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(r"took x\nERROR forged\r\u{1b}[31m sent=x\nERROR"), "{text}");
        assert!(text.contains("route="), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn json_lines_carry_the_fields_and_the_span() {
        let json = log(Format::Json, "info", hostile);
        let line: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(line["sent"], "x\nERROR forged\r\u{1b}[31m");
        assert_eq!(line["span"]["route"], "/logout");
        assert_eq!(json.lines().count(), 1);
    }

    #[test]
    fn the_filter_decides_what_is_written() {
        let events = || {
            tracing::debug!("detail");
            tracing::warn!("trouble");
        };
        let text = Format::Text { colours: false };
        assert_eq!(log(text, "", events).lines().count(), 1);
        assert_eq!(log(text, "debug", events).lines().count(), 2);
        assert_eq!(log(text, "error", events), "");
    }

    #[test]
    fn the_environment_chooses_format_and_colours() {
        let format_of = |set: &[(&str, &str)], terminal| {
            let env = |name: &str| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            };
            format(&env, terminal)
        };
        assert_eq!(format_of(&[], true), Ok(Format::Text { colours: true }));
        assert_eq!(format_of(&[], false), Ok(Format::Text { colours: false }));
        assert_eq!(format_of(&[(NO_COLOR, "1")], true), Ok(Format::Text { colours: false }));
        assert_eq!(format_of(&[(NO_COLOR, "")], true), Ok(Format::Text { colours: true }));
        assert_eq!(format_of(&[(FORMAT, "json")], true), Ok(Format::Json));
        let error = format_of(&[(FORMAT, "xml")], true).unwrap_err();
        assert!(error.to_string().contains("\"xml\"") && error.to_string().contains("json"));
        assert!(matches!(
            filter(&|_: &str| Some("sloop=loud".into())).unwrap_err(),
            TelemetryError::Filter { .. }
        ));
    }
}
