//! The flags of `preview serve` about registries.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use crate::registry::{Cidr, Realm, RegistryConfig};

/// Which registries are asked whether an image is there, and how.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Registries")]
pub struct RegistryArgs {
    /// Registry that is asked whether an image is there, such as registry.example.com or *.example.com; without the flag
    /// those that a baseline's own images come from, and with `none` alone, none
    #[arg(long, env = "PREVIEW_REGISTRY", value_name = "REGISTRY", value_delimiter = ',')]
    pub registry: Vec<String>,
    /// File with the service's own logins, as `docker login` writes it; the pods' own pull secrets are tried before
    #[arg(long, env = "PREVIEW_REGISTRY_CREDENTIALS", value_name = "FILE")]
    pub registry_credentials: Option<PathBuf>,
    /// Who else gives out a registry's tokens, and so sees the logins for it
    #[arg(long, env = "PREVIEW_REGISTRY_REALM", value_name = "REGISTRY=HOST", value_delimiter = ',', value_parser = read::<Realm>)]
    pub registry_realm: Vec<Given<Realm>>,
    /// Addresses that are not public and that a registry may have
    #[arg(long, env = "PREVIEW_REGISTRY_ALLOW_PRIVATE", value_name = "CIDR", value_delimiter = ',', value_parser = read::<Cidr>)]
    pub registry_allow_private: Vec<Given<Cidr>>,
    /// Registry that is asked without TLS
    #[arg(long, env = "PREVIEW_REGISTRY_PLAIN_HTTP", value_name = "REGISTRY", value_delimiter = ',')]
    pub registry_plain_http: Vec<String>,
}

/// A value, or nothing where a variable is set to nothing, as manifests with defaults do.
#[derive(Clone, Debug)]
pub struct Given<T>(Option<T>);

fn read<T: FromStr>(text: &str) -> Result<Given<T>, T::Err> {
    if text.is_empty() { Ok(Given(None)) } else { text.parse().map(|value| Given(Some(value))) }
}

impl RegistryArgs {
    /// The same as a value.
    pub fn config(&self) -> RegistryConfig {
        // A variable that is set to nothing sets nothing.
        let named = |names: &[String]| names.iter().filter(|name| !name.is_empty()).cloned().collect();
        RegistryConfig {
            allowed: named(&self.registry),
            private: self.registry_allow_private.iter().filter_map(|given| given.0).collect(),
            plain_http: named(&self.registry_plain_http),
            realms: self.registry_realm.iter().filter_map(|given| given.0.clone()).collect(),
            credentials_file: self.registry_credentials.clone().filter(|path| !path.as_os_str().is_empty()),
            ..RegistryConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        registries: RegistryArgs,
    }

    fn read(line: &[&str]) -> Result<RegistryConfig, clap::Error> {
        Line::try_parse_from(["preview"].iter().chain(line)).map(|line| line.registries.config())
    }

    #[test]
    fn what_is_set_to_nothing_sets_nothing() {
        let config = read(&["--registry-realm=", "--registry-allow-private=", "--registry=", "--registry-plain-http="]).unwrap();
        assert_eq!((config.realms.len(), config.private.len(), config.allowed.len(), config.plain_http.len()), (0, 0, 0, 0));
        let config = read(&["--registry-realm=a.example.com=b.example.com,", "--registry-allow-private=10.0.0.0/8"]).unwrap();
        assert_eq!((config.realms.len(), config.private.len()), (1, 1));
        assert!(read(&["--registry-realm=a.example.com"]).is_err());
    }
}
