//! What a trial came to, in plain text.

use std::collections::BTreeMap;
use std::fmt;

use crate::clone::Cloned;
use crate::install::Installed;

/// Everything that a trial found.
pub struct Report {
    /// Where the manifests are.
    pub folder: String,
    /// How many objects of each kind they hold.
    pub kinds: BTreeMap<String, usize>,
    /// How the baseline came to be.
    pub installed: Installed,
    /// How its environment did.
    pub cloned: Cloned,
}

impl Report {
    /// Whether every workload of the baseline runs in the environment.
    pub fn is_whole(&self) -> bool {
        self.cloned.ready.is_some() && self.cloned.trouble.is_none() && self.missing_workloads() == 0
    }

    fn missing_workloads(&self) -> usize {
        let is_workload = |kind: &str| matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet");
        self.cloned.left_out.iter().filter(|l| is_workload(&l.kind)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        writeln!(f, "\n{}", self.cloned.planned)?;
        writeln!(f, "{}: {} objects ({})", self.folder, self.kinds.values().sum::<usize>(), kinds.join(", "))?;
        for refused in &self.installed.refused {
            writeln!(f, "  not taken by this cluster: {refused}")?;
        }
        let cloned = &self.cloned;
        let up = cloned.services.iter().filter(|s| s.ready).count();
        let time = cloned.ready.map_or("never Ready".to_owned(), |t| format!("Ready after {:.1} s", t.as_secs_f64()));
        writeln!(f, "  environment: {} objects applied, {up} of {} workloads up, {time}", cloned.objects, cloned.services.len())?;
        if let Some(trouble) = &cloned.trouble {
            writeln!(f, "  trouble: {trouble}")?;
        }
        writeln!(f, "  merged: nothing left after {:.1} s\n\n{}", cloned.gone.as_secs_f64(), cloned.described)?;
        writeln!(f, "{}", if self.is_whole() { "Cloned whole." } else { "Not cloned whole: see above." })
    }
}
