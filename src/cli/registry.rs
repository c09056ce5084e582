//! The flags of `preview serve` about registries.

use std::path::PathBuf;

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
    #[arg(long, env = "PREVIEW_REGISTRY_REALM", value_name = "REGISTRY=HOST", value_delimiter = ',')]
    pub registry_realm: Vec<Realm>,
    /// Addresses that are not public and that a registry may have
    #[arg(long, env = "PREVIEW_REGISTRY_ALLOW_PRIVATE", value_name = "CIDR", value_delimiter = ',')]
    pub registry_allow_private: Vec<Cidr>,
    /// Registry that is asked without TLS
    #[arg(long, env = "PREVIEW_REGISTRY_PLAIN_HTTP", value_name = "REGISTRY", value_delimiter = ',')]
    pub registry_plain_http: Vec<String>,
}

impl RegistryArgs {
    /// The same as a value.
    pub fn config(&self) -> RegistryConfig {
        // A variable that is set to nothing sets nothing.
        let named = |names: &[String]| names.iter().filter(|name| !name.is_empty()).cloned().collect();
        RegistryConfig {
            allowed: named(&self.registry),
            private: self.registry_allow_private.clone(),
            plain_http: named(&self.registry_plain_http),
            realms: self.registry_realm.clone(),
            credentials_file: self.registry_credentials.clone().filter(|path| !path.as_os_str().is_empty()),
            ..RegistryConfig::default()
        }
    }
}
