//! The checks as a person reads them, a line each, and as a script does. No client, no clock, no logging.

use serde_json::{Value, json};

use super::finding::{Finding, Verdict};
use crate::cli::output::{FLOWS, clean, wrap};

/// The width of the longest verdict.
const VERDICT: usize = 11;
const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "1;31";
const FAINT: &str = "2";

/// The page: each check in its order, what mends it below, and a sum.
pub fn text(findings: &[Finding], width: usize, colour: bool) -> String {
    let column = findings.iter().map(|finding| finding.check.chars().count()).max().unwrap_or_default();
    let indent = VERDICT + 2 + column + 2;
    let left = width.saturating_sub(indent).max(FLOWS);
    let mut text = String::new();
    for finding in findings {
        let mut start = format!("{}  {:<column$}  ", verdict(finding.result, colour), finding.check);
        let mend = finding.mend.iter().flat_map(|mend| wrap(&clean(&format!("mend: {mend}")), left));
        for line in wrap(&says(finding), left).into_iter().chain(mend) {
            text.push_str(format!("{start}{line}").trim_end());
            text.push('\n');
            start = " ".repeat(indent);
        }
    }
    format!("{text}\n{}\n", sum(findings))
}

fn says(finding: &Finding) -> String {
    match &finding.about {
        Some(about) => clean(&format!("{about}: {}", finding.message)),
        None => clean(&finding.message),
    }
}

fn verdict(verdict: Verdict, colour: bool) -> String {
    let padded = format!("{:<VERDICT$}", verdict.word());
    let code = match verdict {
        Verdict::Ok => GREEN,
        Verdict::Warning => YELLOW,
        Verdict::Failure => RED,
        Verdict::NotChecked => FAINT,
    };
    if colour { format!("\u{1b}[{code}m{padded}\u{1b}[0m") } else { padded }
}

fn count(findings: &[Finding], verdict: Verdict) -> usize {
    findings.iter().filter(|finding| finding.result == verdict).count()
}

fn sum(findings: &[Finding]) -> String {
    let plural = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    let of = |verdict| count(findings, verdict);
    let (warnings, failures) = (plural(of(Verdict::Warning), "warning"), plural(of(Verdict::Failure), "failure"));
    format!("{} ok, {warnings}, {failures}, {} not checked", of(Verdict::Ok), of(Verdict::NotChecked))
}

/// The same for scripts.
pub fn object(findings: &[Finding]) -> Value {
    let of = |verdict| count(findings, verdict);
    let summary = json!({"ok": of(Verdict::Ok), "warning": of(Verdict::Warning), "failure": of(Verdict::Failure), "notChecked": of(Verdict::NotChecked)});
    json!({"checks": findings, "summary": summary})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Unseen;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("cluster", "Kubernetes v1.36.3; 1.30 or newer is needed"),
            Finding::warning("version", "the service is 0.0.9, and this preview 0.1.0")
                .mend("update the service: helm upgrade preview-env"),
            Finding::failure("dns", "no name below preview.example.com resolves here: nothing\u{1b}[31m is known")
                .about("shop")
                .mend("make a record *.preview.example.com that leads to 203.0.113.7, such as by external-dns or by hand"),
            Finding::not_checked("certificate", &Unseen::new("its name does not resolve")).about("shop"),
        ]
    }

    #[test]
    fn a_check_is_a_line_and_what_mends_it_stands_below() {
        insta::assert_snapshot!(text(&findings(), 80, false), @r"
        ok           cluster      Kubernetes v1.36.3; 1.30 or newer is needed
        warning      version      the service is 0.0.9, and this preview 0.1.0
                                  mend: update the service: helm upgrade preview-env
        failure      dns          shop: no name below preview.example.com resolves here:
                                  nothing[31m is known
                                  mend: make a record *.preview.example.com that leads
                                  to 203.0.113.7, such as by external-dns or by hand
        not checked  certificate  shop: its name does not resolve

        1 ok, 1 warning, 1 failure, 1 not checked
        ");
        assert!(text(&findings(), 80, false).lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn colour_changes_no_column() {
        let coloured = text(&findings(), 80, true);
        assert!(coloured.contains("\u{1b}[1;31mfailure    \u{1b}[0m  dns"), "{coloured}");
        let plain = coloured.replace("\u{1b}[0m", "");
        let plain = [GREEN, YELLOW, RED, FAINT].iter().fold(plain, |text, code| text.replace(&format!("\u{1b}[{code}m"), ""));
        assert_eq!(plain, text(&findings(), 80, false));
    }

    #[test]
    fn scripts_read_the_same() {
        let object = object(&findings());
        assert_eq!(object["summary"], json!({"ok": 1, "warning": 1, "failure": 1, "notChecked": 1}));
        assert_eq!(
            object["checks"][0],
            json!({"check": "cluster", "result": "ok", "message": "Kubernetes v1.36.3; 1.30 or newer is needed"})
        );
        assert_eq!((&object["checks"][3]["result"], &object["checks"][3]["about"]), (&json!("notChecked"), &json!("shop")));
    }
}
