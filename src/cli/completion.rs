//! `preview completion` and `preview man`: what shells and `man` read, made from the command line itself.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::errors::Failure;
use super::output::print;

/// Flags of `preview completion`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  source <(preview completion bash)
  preview completion zsh > ~/.zfunc/_preview
  preview completion fish > ~/.config/fish/completions/preview.fish")]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_name = "bash|zsh|fish|elvish|powershell", hide_possible_values = true)]
    pub shell: Shell,
}

/// Flags of `preview man`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  preview man | man -l -
  preview man --write-to /usr/local/share/man/man1")]
pub struct ManArgs {
    /// Write a page for each command into this folder, instead of printing that of preview itself
    #[arg(long, value_name = "FOLDER")]
    pub write_to: Option<PathBuf>,
}

/// Prints the completions of a shell.
pub fn completion(args: &CompletionArgs) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "preview", &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// Prints the page of `preview`, or writes those of all commands.
pub fn man(args: &ManArgs) -> Result<(), Failure> {
    if let Some(folder) = &args.write_to {
        return clap_mangen::generate_to(Cli::command(), folder).map_err(|why| {
            Failure::failed(format!("cannot write the pages to {}: {why}", folder.display())).next("the folder has to be there, and yours")
        });
    }
    let mut text = Vec::new();
    let written = clap_mangen::Man::new(Cli::command()).render(&mut text);
    written.map_err(|why| Failure::failed(format!("cannot make the page: {why}")))?;
    print(&String::from_utf8_lossy(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_and_every_page_knows_every_command() {
        let folder = tempfile::tempdir().unwrap();
        man(&ManArgs { write_to: Some(folder.path().to_owned()) }).unwrap();
        let shells = [Shell::Bash, Shell::Zsh, Shell::Fish].map(|shell| {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "preview", &mut text);
            String::from_utf8(text).unwrap()
        });
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(shells.iter().all(|text| text.contains(name)), "{name}");
            assert!(folder.path().join(format!("preview-{name}.1")).is_file(), "{name}");
        }
        let missing = man(&ManArgs { write_to: Some(folder.path().join("not/there")) }).unwrap_err();
        assert!(missing.message.contains("not/there"), "{missing}");
    }
}
