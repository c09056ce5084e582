//! The table of values, from the comments in `values.yaml`. Pure.

use anyhow::{Context, Result, bail, ensure};

const BEGIN: &str = "<!-- values, written by `make chart` -->\n";
const END: &str = "<!-- end of values -->\n";

/// The README with the table in its place.
pub fn with_table(readme: &str, values: &str) -> Result<String> {
    let (before, rest) = readme.split_once(BEGIN).with_context(|| format!("README.md has no line {BEGIN:?}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("README.md has no line {END:?}"))?;
    Ok(format!("{before}{BEGIN}{}{END}{after}", table(values)?))
}

/// A line for each value. Comments of several lines become one; each value has one, and what only groups values has none.
fn table(values: &str) -> Result<String> {
    let mut table = "| value | default | |\n|---|---|---|\n".to_owned();
    let mut groups: Vec<(usize, &str)> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in values.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if let Some(words) = text.strip_prefix('#') {
            comment.push(words.trim());
            continue;
        }
        let said = std::mem::take(&mut comment).join(" ");
        let Some((key, default)) = text.split_once(':') else {
            ensure!(text.is_empty(), "values.yaml: {text:?} is neither a comment nor a value; write lists in one line");
            continue;
        };
        groups.retain(|(of, _)| *of < indent);
        let path: Vec<&str> = groups.iter().map(|(_, group)| *group).chain([key]).collect();
        match (default.trim(), said.is_empty()) {
            ("", true) => groups.push((indent, key)),
            ("", false) => bail!("values.yaml: {} only groups values: say it of each of them", path.join(".")),
            (_, true) => bail!("values.yaml: {} has no comment above it", path.join(".")),
            (default, false) => table.extend(["| `", &path.join("."), "` | `", default, "` | ", &said.replace('|', "\\|"), " |\n"]),
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_a_line_with_its_path_its_default_and_its_comment() {
        let values = "# About the file.\n\nimage:\n  # Which one.\n  # Or none.\n  tag: \"\"\n# How many.\nreplicas: 2\n";
        let table = table(values).unwrap();
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(lines, ["| `image.tag` | `\"\"` | Which one. Or none. |", "| `replicas` | `2` | How many. |"]);
    }

    #[test]
    fn what_cannot_be_told_is_an_error() {
        for (values, word) in [
            ("replicas: 2\n", "replicas has no comment"),
            ("# All of it.\nimage:\n  # Which.\n  tag: a\n", "image only groups"),
            ("# Some.\nlist:\n  - a\n", "list only groups"),
            ("list:\n  - a\n", "in one line"),
        ] {
            let error = table(values).unwrap_err().to_string();
            assert!(error.contains(word), "{values}: {error}");
        }
    }

    #[test]
    fn what_stands_around_the_table_stays() {
        let readme = format!("# Chart\n{BEGIN}old\n{END}More.\n");
        let readme = with_table(&readme, "# How many.\nreplicas: 2\n").unwrap();
        assert!(readme.starts_with("# Chart\n") && readme.ends_with("More.\n") && !readme.contains("old"), "{readme}");
        assert!(with_table("# Chart\n", "").is_err());
    }
}
