//! What the daemon tells on standard error: a line a change of state.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, time};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::Format;

/// Lines for people: `dl: time level message name=value`.
struct ForPeople;

impl<S, N> FormatEvent<S, N> for ForPeople
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(line, "dl: ")?;
        time::SystemTime.format_time(&mut line)?;
        write!(line, " {:5} ", event.metadata().level().as_str().to_lowercase())?;
        context.field_format().format_fields(line.by_ref(), event)?;
        writeln!(line)
    }
}

/// Sends events to standard error: as text, or a JSON object a line. `DL_LOG` chooses what is told, such as `debug`.
/// Otherwise a store's client does not tell that it tries again, which it does several times before there is a change of state.
pub(crate) fn start_log(format: Format) {
    let chosen = std::env::var("DL_LOG").ok().filter(|chosen| !chosen.is_empty());
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into());
    let filter = filter.parse_lossy(chosen.as_deref().unwrap_or("info,object_store=warn"));
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    match format {
        Format::Table => log.with_ansi(false).event_format(ForPeople).init(),
        Format::Json | Format::Ndjson => log.json().flatten_event(true).with_target(false).init(),
    }
}
