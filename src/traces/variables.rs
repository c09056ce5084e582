//! Whether anybody wants traces, by the standard variables (OpenTelemetry specification, "Environment Variable Specification" and
//! "OpenTelemetry Protocol Exporter"). A variable that is set to nothing sets nothing. No client, no clock, no logging.

use std::time::Duration;

/// How long the collector may take, where no variable says so (specification: 10 s).
const TIMEOUT: Duration = Duration::from_secs(10);
/// The one way that traces are sent.
const PROTOCOL: &str = "http/protobuf";
/// What the SDK can sample by. All else falls back to `parentbased_always_on`, without a word.
const SAMPLERS: [&str; 6] =
    ["always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"];

/// What the variables say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// Nobody wants traces.
    No,
    /// Somebody does, and cannot have them: which variable, and the way out.
    Cannot(String),
    /// To a collector that may take so long, with what is not as somebody meant it.
    Yes {
        /// For one request.
        timeout: Duration,
        /// What is passed over.
        warning: Option<String>,
    },
}

/// What the variables say; `read` gives the value of one.
pub(super) fn wanted(read: impl Fn(&str) -> Option<String>) -> Wanted {
    let set = |name: &str| read(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    // The one for traces alone comes before the one for all signals.
    let one_of = |end: &str| {
        let names = [format!("OTEL_EXPORTER_OTLP_TRACES_{end}"), format!("OTEL_EXPORTER_OTLP_{end}")];
        names.into_iter().find_map(|name| set(&name).map(|value| (name, value)))
    };
    let exporter = set("OTEL_TRACES_EXPORTER");
    let is_off = set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_off || exporter.as_deref() == Some("none") || one_of("ENDPOINT").is_none() {
        return Wanted::No;
    }
    if let Some(other) = exporter.filter(|exporter| exporter != "otlp") {
        return Wanted::Cannot(format!("OTEL_TRACES_EXPORTER is {other:?}, and traces go by otlp alone; take it away, or set none"));
    }
    if let Some((name, other)) = one_of("PROTOCOL").filter(|(_, protocol)| protocol != PROTOCOL) {
        let way_out = "set that, and the endpoint to the collector's port for HTTP, which is 4318 as a rule";
        return Wanted::Cannot(format!("{name} is {other:?}, and traces are sent by {PROTOCOL} alone; {way_out}"));
    }
    if let Some((name, other)) = one_of("COMPRESSION").filter(|(_, compression)| compression != "none") {
        return Wanted::Cannot(format!("{name} is {other:?}, and traces are sent uncompressed alone; take it away"));
    }
    let timeout = one_of("TIMEOUT").and_then(|(_, value)| value.parse().ok()).map_or(TIMEOUT, Duration::from_millis);
    Wanted::Yes { timeout, warning: sampler(&set) }
}

fn sampler(set: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let sampler = set("OTEL_TRACES_SAMPLER")?;
    if !SAMPLERS.contains(&sampler.as_str()) {
        return Some(format!("OTEL_TRACES_SAMPLER is {sampler:?}, which is none of {}; every trace is kept", SAMPLERS.join(", ")));
    }
    let ratio = set("OTEL_TRACES_SAMPLER_ARG").and_then(|ratio| ratio.parse::<f64>().ok());
    let is_missing = sampler.ends_with("traceidratio") && ratio.is_none_or(|ratio| !(0.0..=1.0).contains(&ratio));
    is_missing.then(|| "OTEL_TRACES_SAMPLER_ARG is no number between 0 and 1, which OTEL_TRACES_SAMPLER asks for".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(variables: &[(&str, &str)]) -> Wanted {
        wanted(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    const THERE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    #[test]
    fn nobody_gets_traces_who_does_not_say_where_to() {
        for variables in [
            &[][..],
            &[("OTEL_SERVICE_NAME", "preview")],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
            &[THERE, ("OTEL_SDK_DISABLED", "TRUE")],
            &[THERE, ("OTEL_TRACES_EXPORTER", "none")],
            &[THERE, ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
        ] {
            assert_eq!(said(variables), Wanted::No, "{variables:?}");
        }
    }

    #[test]
    fn either_endpoint_turns_them_on_and_the_narrower_variable_counts() {
        let yes = |millis| Wanted::Yes { timeout: Duration::from_millis(millis), warning: None };
        for (variables, expected) in [
            (&[THERE][..], yes(10_000)),
            (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces")], yes(10_000)),
            (&[THERE, ("OTEL_SDK_DISABLED", "false"), ("OTEL_TRACES_EXPORTER", "otlp")], yes(10_000)),
            (&[THERE, ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000")], yes(2_000)),
            (&[THERE, ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"), ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "300")], yes(300)),
            (&[THERE, ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], yes(10_000)),
            (&[THERE, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.1")], yes(10_000)),
        ] {
            assert_eq!(said(variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_had_is_said_by_the_name_of_its_variable() {
        for variable in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ] {
            let Wanted::Cannot(why) = said(&[THERE, variable]) else { panic!("{variable:?} is taken") };
            assert!(why.contains(variable.0) && why.contains(variable.1), "{why}");
        }
        for (sampler, argument, named) in
            [("traceidratio", "", "SAMPLER_ARG"), ("traceidratio", "7", "SAMPLER_ARG"), ("xray", "", "\"xray\"")]
        {
            let variables = [THERE, ("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", argument)];
            let Wanted::Yes { warning: Some(warning), .. } = said(&variables) else { panic!("{sampler} is passed over") };
            assert!(warning.contains(named), "{warning}");
        }
    }
}
