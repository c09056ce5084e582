//! The `preview` binary.

use std::process::ExitCode;

use preview_env::cli::errors::Exit;
use preview_env::cli::{self, Cli};
use preview_env::telemetry;

/// Gives back what a burst took, which the system's allocator keeps. How it is set stands in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::read();
    // The first provider that is installed stays; a second installation changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    if let Err(error) = telemetry::init(&cli.logging()) {
        eprintln!("error: {error}");
        return ExitCode::from(Exit::Usage as u8);
    }
    cli::run(cli).await
}
