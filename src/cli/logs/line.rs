//! A line of a log, and how it is shown. No client, no clock, no logging.

use chrono::{DateTime, Utc};

use super::super::output::clean;
use super::pods::Voice;

/// Colours that can be told apart on dark and on light ground (ANSI 256).
const COLOURS: [u8; 8] = [33, 70, 172, 133, 37, 167, 99, 136];

/// A line as the kubelet gives it, with its time taken off.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// When it was written; absent where the kubelet says something of its own.
    pub at: Option<DateTime<Utc>>,
    /// What was written.
    pub text: String,
}

impl Line {
    /// Reads a line that was asked for with its time.
    pub fn read(line: &str) -> Self {
        let timed = line.split_once(' ').and_then(|(at, text)| Some((at.parse().ok()?, text)));
        match timed {
            Some((at, text)) => Self { at: Some(at), text: text.to_owned() },
            // An empty line has no blank behind its time.
            None => match line.parse() {
                Ok(at) => Self { at: Some(at), text: String::new() },
                Err(_) => Self { at: None, text: line.to_owned() },
            },
        }
    }
}

/// Puts the service in front of lines, where there are several.
pub struct Painter {
    known: Vec<String>,
    widest: usize,
    alone: bool,
    colour: bool,
    timestamps: bool,
}

impl Painter {
    /// For these voices. Without any, more come later, so that each line says whose it is.
    pub fn new(voices: &[Voice], colour: bool, timestamps: bool) -> Self {
        let labels = voices.iter().map(Voice::label);
        let widest = labels.map(|label| label.chars().count()).max().unwrap_or_default();
        Self { known: Vec::new(), widest, alone: voices.len() == 1, colour, timestamps }
    }

    /// A line as it is printed. Nothing in it moves the cursor or colours what follows.
    pub fn paint(&mut self, voice: &Voice, line: &Line) -> String {
        let text = clean(&line.text);
        let time = line.at.filter(|_| self.timestamps).map_or_else(String::new, |at| at.format("%Y-%m-%dT%H:%M:%S%.3fZ ").to_string());
        if self.alone {
            return format!("{time}{text}\n");
        }
        let label = voice.label();
        self.widest = self.widest.max(label.chars().count());
        let width = self.widest;
        let colour = self.colour_of(&voice.service);
        if self.colour {
            format!("\u{1b}[38;5;{colour}m{label:<width$}\u{1b}[0m  {time}{text}\n")
        } else {
            format!("{label:<width$}  {time}{text}\n")
        }
    }

    /// A service keeps its colour.
    fn colour_of(&mut self, service: &str) -> u8 {
        let at = self.known.iter().position(|known| known == service).unwrap_or_else(|| {
            self.known.push(service.to_owned());
            self.known.len() - 1
        });
        COLOURS[at % COLOURS.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(service: &str, pod: &str, container: Option<&str>) -> Voice {
        Voice { service: service.into(), pod: pod.into(), container: "app".into(), shown: container.map(str::to_owned), speaks: true }
    }

    #[test]
    fn lines_carry_their_service_where_there_are_several() {
        let (web, worker) = (voice("web", "web-1", None), voice("worker", "worker-1", Some("proxy")));
        let line = Line::read("2026-01-02T03:04:05.678901234Z listening\u{1b}[2J on 80");
        let mut several = Painter::new(&[web.clone(), worker.clone()], false, false);
        assert_eq!(several.paint(&web, &line), "web           listening[2J on 80\n");
        assert_eq!(several.paint(&worker, &line), "worker/proxy  listening[2J on 80\n");
        assert_eq!(Painter::new(std::slice::from_ref(&web), true, false).paint(&web, &line), "listening[2J on 80\n");
        let timed = Painter::new(std::slice::from_ref(&web), true, true).paint(&web, &line);
        assert_eq!(timed, "2026-01-02T03:04:05.678Z listening[2J on 80\n");
        let mut coloured = Painter::new(&[], true, false);
        let (first, second) = (coloured.paint(&web, &line), coloured.paint(&worker, &line));
        assert!(
            first.starts_with("\u{1b}[38;5;33mweb\u{1b}[0m  ") && second.starts_with("\u{1b}[38;5;70mworker/proxy\u{1b}[0m"),
            "{first}{second}"
        );
        assert_eq!(coloured.paint(&web, &line).get(..11), first.get(..11), "a service keeps its colour");
    }

    #[test]
    fn a_line_is_read_with_and_without_a_time() {
        assert_eq!(Line::read("2026-01-02T03:04:05Z a b").text, "a b");
        assert_eq!(Line::read("2026-01-02T03:04:05Z"), Line { at: "2026-01-02T03:04:05Z".parse().ok(), text: String::new() });
        assert_eq!(Line::read("unable to retrieve container logs"), Line { at: None, text: "unable to retrieve container logs".into() });
    }
}
