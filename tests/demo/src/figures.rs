//! The figures at the end. A busy machine must not fail the demo, so a figure that misses its aim is only marked.

use std::time::Duration;

use crate::paper::Paper;

/// One figure.
pub struct Figure {
    /// From what to what.
    pub what: &'static str,
    /// What it was.
    pub took: Duration,
    /// What it should be at most, where there is such a thing.
    pub aim: Option<Duration>,
}

/// Prints them.
pub fn print(figures: &[Figure], paper: Paper) {
    paper.heading("Figures");
    for figure in figures {
        Paper::line(&line(figure));
    }
}

fn line(figure: &Figure) -> String {
    let took = format!("{:6.2} s", figure.took.as_secs_f64());
    let aim = match figure.aim {
        None => String::new(),
        Some(aim) if figure.took <= aim => format!("   aim: {} s", aim.as_secs()),
        Some(aim) => format!("   aim: {} s, missed here", aim.as_secs()),
    };
    format!("  {:<44}{took}{aim}", figure.what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_says_whether_it_met_its_aim() {
        let figure = |millis, aim| line(&Figure { what: "opened to ready", took: Duration::from_millis(millis), aim });
        let second = Some(Duration::from_secs(1));
        assert!(figure(250, second).ends_with("  0.25 s   aim: 1 s"));
        assert!(figure(1_250, second).ends_with("  1.25 s   aim: 1 s, missed here"));
        let widest = line(&Figure { what: "opened to ready", took: Duration::from_millis(999_990), aim: Some(Duration::from_secs(10)) });
        assert!(widest.len() <= 80, "{widest}");
        assert!(figure(1_250, None).ends_with("  1.25 s"));
    }
}
