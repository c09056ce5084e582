use super::*;
use clap::error::ErrorKind;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_command_line_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn flags_are_taken_before_and_after_the_command() {
    let cli = parse("preview -n shop create --pull 42 --image web=a --image api=b -o url --ttl 24h --wait --timeout 90s").unwrap();
    assert_eq!((cli.global.namespace.as_deref(), cli.global.output), (Some("shop"), Format::Url));
    let Command::Create(args) = cli.command else { panic!("not create") };
    assert_eq!((args.pull, args.image.len(), args.timeout.as_secs(), args.wait), (Some(42), 2, 90, true));
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for line in [
        "preview create --pull 0",
        "preview create --pull 42 --branch x",
        "preview create --repo web",
        "preview create --image web",
        "preview create --ttl soon",
        "preview create --timeout 0s",
        "preview describe",
        "preview describe web-pr-42 --pull 42",
        "preview delete --repo acme/web",
        "preview list -o csv",
        "preview frobnicate",
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.exit_code(), Exit::Usage as i32, "{line}");
    }
    assert_eq!(parse("preview --help").unwrap_err().kind(), ErrorKind::DisplayHelp);
}

#[test]
fn as_a_plugin_of_kubectl_it_is_called_so() {
    let is = |called: &str| is_plugin(Some(Path::new(called)));
    assert!(is("/usr/local/bin/kubectl-preview_env") && !is("/usr/local/bin/preview") && !is_plugin(None));
    let usage = Cli::command().bin_name(PLUGIN).render_usage().to_string();
    assert!(usage.contains("kubectl preview-env"), "{usage}");
}

#[test]
fn the_help_says_the_exit_codes() {
    let help = Cli::command().render_help().to_string();
    assert!(help.contains(EXIT_CODES), "{help}");
}

#[test]
fn the_service_logs_and_the_commands_say_their_errors_themselves() {
    let filter = |line: &str| {
        let mut cli = parse(line).unwrap();
        // Whoever runs the tests may have set it.
        cli.global.log = None;
        cli.logging().filter
    };
    assert_eq!((filter("preview list").as_str(), filter("preview serve").as_str()), ("off", "info,kube_client=off,kube_runtime=warn"));
}

/// Every command and flag, of which docs/commands.md speaks.
#[test]
fn the_documentation_names_every_command_and_flag() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md")).unwrap();
    for command in Cli::command().get_subcommands() {
        assert!(page.contains(&format!("## preview {}", command.get_name())), "{}", command.get_name());
        for flag in command.get_arguments().chain(Cli::command().get_arguments()).filter_map(clap::Arg::get_long) {
            assert!(page.contains(&format!("--{flag}")), "preview {} --{flag}", command.get_name());
        }
    }
    assert!(EXIT_CODES.lines().skip(1).all(|line| page.contains(line.trim().split_once("  ").unwrap().1.split(':').next().unwrap())));
}
