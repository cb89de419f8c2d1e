//! Settings as the program sees them.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use crate::units::{Bytes, Seconds};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: ServerConfig,
    pub data: DataConfig,
    pub catalog: CatalogConfig,
    pub lake: LakeConfig,
    pub models: ModelsConfig,
    pub knowledge: KnowledgeConfig,
    pub traces: TracesConfig,
    pub gateway: GatewayConfig,
    pub alerts: AlertsConfig,
    pub secrets: SecretsConfig,
    pub log: LogConfig,
    pub client: ClientConfig,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    pub body_limit: Bytes,
    pub request_timeout: Seconds,
    pub answer_timeout: Seconds,
    pub client_timeout: Seconds,
    pub shutdown_grace: Seconds,
    pub allowed_hosts: Vec<String>,
    #[serde(deserialize_with = "address_or_none")]
    pub public_url: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    pub dir: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogConfig {
    /// May hold a password.
    #[serde(deserialize_with = "secret_or_none")]
    pub url: Option<SecretString>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LakeConfig {
    #[serde(deserialize_with = "text_or_none")]
    pub url: Option<String>,
    pub durability: DurabilityConfig,
    pub upkeep_every: Seconds,
    pub keep_versions_for: Seconds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DurabilityConfig {
    Disk,
    Process,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelsConfig {
    #[serde(deserialize_with = "text_or_none")]
    pub dir: Option<String>,
    #[serde(deserialize_with = "path_or_none")]
    pub list: Option<PathBuf>,
    pub embed: String,
    pub chat: String,
    pub pull: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnowledgeConfig {
    pub parser_workers: usize,
    pub parser_memory: Bytes,
    pub parser_timeout: Seconds,
    pub parser_file_limit: Bytes,
    pub local_roots: Vec<PathBuf>,
    pub allow_private_addresses: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracesConfig {
    pub capture: CaptureConfig,
    pub keep_for: Seconds,
    pub spill_limit: Bytes,
    pub held_limit: Bytes,
    pub adopt_after: Seconds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptureConfig {
    None,
    Metadata,
    Redacted,
    Full,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    pub private_addresses: PrivateAddresses,
    pub credential_variables: Vec<String>,
    pub credential_folders: Vec<PathBuf>,
    #[serde(deserialize_with = "path_or_none")]
    pub authorities: Option<PathBuf>,
    pub keep_calls_for: Seconds,
    pub file_limit: Bytes,
    pub keep_files_for: Seconds,
    pub files_per_project: u64,
    pub file_bytes_per_project: Bytes,
    pub batches_per_project: u64,
    pub batch_concurrency: usize,
    pub batch_lines: u64,
    pub batch_prices: bool,
    pub clients_may_omit: bool,
    pub clients_may_name_traces: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrivateAddresses {
    Auto,
    Allow,
    Refuse,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsConfig {
    #[serde(deserialize_with = "text_or_none")]
    pub page: Option<String>,
    pub keep_for: Seconds,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsConfig {
    #[serde(deserialize_with = "secret_or_none")]
    pub master_key: Option<SecretString>,
    #[serde(deserialize_with = "path_or_none")]
    pub master_key_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    pub filter: String,
    pub format: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    #[serde(deserialize_with = "text_or_none")]
    pub url: Option<String>,
    #[serde(deserialize_with = "secret_or_none")]
    pub api_key: Option<SecretString>,
}

impl Config {
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data.dir
    }

    /// The catalog's URL, with the default filled in.
    #[must_use]
    pub fn catalog_url(&self) -> SecretString {
        match &self.catalog.url {
            Some(url) => url.clone(),
            None => format!("sqlite://{}", self.data.dir.join("catalog.db").display()).into(),
        }
    }

    #[must_use]
    pub fn lake_url(&self) -> String {
        self.lake.url.clone().unwrap_or_else(|| self.data.dir.join("lake").display().to_string())
    }

    /// The user's own list of models: given, or found in the data directory.
    #[must_use]
    pub fn models_list(&self) -> Option<PathBuf> {
        self.models.list.clone().or_else(|| Some(self.data.dir.join("models.toml")).filter(|path| path.exists()))
    }

    /// Where model files are: given, or in the user's cache.
    #[must_use]
    pub fn models_dir(&self) -> PathBuf {
        if let Some(dir) = &self.models.dir {
            return PathBuf::from(dir);
        }
        let cache = std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        cache.or_else(home).unwrap_or_else(|| self.data.dir.clone()).join("mainspring").join("models")
    }
}

/// TOML has no null: an empty text is "not set".
fn text_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(String::deserialize(deserializer)?).filter(|text| !text.is_empty()))
}

fn address_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let address = text_or_none(deserializer)?;
    match &address {
        Some(text) if !text.starts_with("https://") && !text.starts_with("http://") => {
            Err(serde::de::Error::custom(format!("`{text}` is not an address: it begins with `https://` or `http://`")))
        }
        _ => Ok(address),
    }
}

fn path_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    Ok(text_or_none(deserializer)?.map(PathBuf::from))
}

fn secret_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(text_or_none(deserializer)?.map(SecretString::from))
}
