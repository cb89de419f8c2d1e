//! Servers that speak OpenAI's dialect and are known by name: where they listen, where their key usually lies, and
//! where they depart from the dialect.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::ProviderKind;

mod page;

pub use page::providers;

/// A known server of OpenAI's dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    #[serde(rename = "openai")]
    OpenAi,
    NvidiaNim,
    Groq,
    Together,
    Mistral,
    #[serde(rename = "deepseek")]
    DeepSeek,
    #[serde(rename = "openrouter")]
    OpenRouter,
    Fireworks,
    Xai,
    Perplexity,
    Cerebras,
    #[serde(rename = "sambanova")]
    SambaNova,
    #[serde(rename = "huggingface")]
    HuggingFace,
    #[serde(rename = "deepinfra")]
    DeepInfra,
    Moonshot,
    #[serde(rename = "dashscope")]
    DashScope,
    CohereCompat,
    Jina,
    Voyage,
    Vllm,
    #[serde(rename = "sglang")]
    SgLang,
    Tgi,
    Ollama,
    LlamaCpp,
    LmStudio,
}

/// What is known of a preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub base_url: &'static str,
    /// The environment variable its users keep the key in.
    pub credential: Option<&'static str>,
    /// It answers nobody without a key.
    pub needs_credential: bool,
    pub habits: Habits,
}

/// Where a server departs from the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// Takes `stream_options`; the others send the usage without being asked.
    pub stream_options: bool,
    /// What it calls the most that may be written.
    pub max_tokens: &'static str,
    /// What it calls the seed.
    pub seed: &'static str,
    /// Refuses fields it does not know instead of passing them over.
    pub strict: bool,
    /// Knows the role `developer`.
    pub developer: bool,
    /// Takes `user`.
    pub user: bool,
    /// Has `/responses`.
    pub responses: bool,
    /// Has what agents ask for beside it: `/responses/compact` and `/responses/input_tokens`.
    pub compact: bool,
}

const PLAIN: Habits = Habits {
    stream_options: true,
    max_tokens: "max_tokens",
    seed: "seed",
    strict: false,
    developer: false,
    user: true,
    responses: false,
    compact: false,
};

/// OpenAI's own: its newer models refuse `max_tokens`.
const OPENAI: Habits =
    Habits { max_tokens: "max_completion_tokens", strict: true, developer: true, responses: true, compact: true, ..PLAIN };

const fn hosted(base_url: &'static str, credential: &'static str, habits: Habits) -> Known {
    Known { base_url, credential: Some(credential), needs_credential: true, habits }
}

const fn local(base_url: &'static str, credential: Option<&'static str>) -> Known {
    Known { base_url, credential, needs_credential: false, habits: PLAIN }
}

impl Preset {
    pub const ALL: [Self; 25] = [
        Self::OpenAi,
        Self::NvidiaNim,
        Self::Groq,
        Self::Together,
        Self::Mistral,
        Self::DeepSeek,
        Self::OpenRouter,
        Self::Fireworks,
        Self::Xai,
        Self::Perplexity,
        Self::Cerebras,
        Self::SambaNova,
        Self::HuggingFace,
        Self::DeepInfra,
        Self::Moonshot,
        Self::DashScope,
        Self::CohereCompat,
        Self::Jina,
        Self::Voyage,
        Self::Vllm,
        Self::SgLang,
        Self::Tgi,
        Self::Ollama,
        Self::LlamaCpp,
        Self::LmStudio,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::NvidiaNim => "nvidia_nim",
            Self::Groq => "groq",
            Self::Together => "together",
            Self::Mistral => "mistral",
            Self::DeepSeek => "deepseek",
            Self::OpenRouter => "openrouter",
            Self::Fireworks => "fireworks",
            Self::Xai => "xai",
            Self::Perplexity => "perplexity",
            Self::Cerebras => "cerebras",
            Self::SambaNova => "sambanova",
            Self::HuggingFace => "huggingface",
            Self::DeepInfra => "deepinfra",
            Self::Moonshot => "moonshot",
            Self::DashScope => "dashscope",
            Self::CohereCompat => "cohere_compat",
            Self::Jina => "jina",
            Self::Voyage => "voyage",
            Self::Vllm => "vllm",
            Self::SgLang => "sglang",
            Self::Tgi => "tgi",
            Self::Ollama => "ollama",
            Self::LlamaCpp => "llama_cpp",
            Self::LmStudio => "lm_studio",
        }
    }

    /// Local servers are looked for where they listen when nobody tells them otherwise.
    #[must_use]
    pub const fn known(self) -> Known {
        const STRICT: Habits = Habits { strict: true, ..PLAIN };
        const RESPONSES: Habits = Habits { responses: true, ..PLAIN };
        match self {
            Self::OpenAi => hosted("https://api.openai.com/v1", "OPENAI_API_KEY", OPENAI),
            Self::NvidiaNim => hosted("https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", STRICT),
            Self::Groq => hosted("https://api.groq.com/openai/v1", "GROQ_API_KEY", Habits { responses: true, ..STRICT }),
            Self::Together => hosted("https://api.together.xyz/v1", "TOGETHER_API_KEY", PLAIN),
            Self::Mistral => {
                let habits = Habits { stream_options: false, seed: "random_seed", user: false, ..STRICT };
                hosted("https://api.mistral.ai/v1", "MISTRAL_API_KEY", habits)
            }
            Self::DeepSeek => hosted("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", PLAIN),
            Self::OpenRouter => hosted("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", RESPONSES),
            Self::Fireworks => hosted("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", RESPONSES),
            Self::Xai => hosted("https://api.x.ai/v1", "XAI_API_KEY", RESPONSES),
            Self::Perplexity => {
                hosted("https://api.perplexity.ai", "PERPLEXITY_API_KEY", Habits { stream_options: false, ..PLAIN })
            }
            Self::Cerebras => {
                hosted("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", Habits { max_tokens: "max_completion_tokens", ..STRICT })
            }
            Self::SambaNova => hosted("https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY", PLAIN),
            Self::HuggingFace => hosted("https://router.huggingface.co/v1", "HF_TOKEN", PLAIN),
            Self::DeepInfra => hosted("https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY", PLAIN),
            Self::Moonshot => hosted("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY", PLAIN),
            Self::DashScope => hosted("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY", PLAIN),
            Self::CohereCompat => hosted("https://api.cohere.ai/compatibility/v1", "CO_API_KEY", STRICT),
            Self::Jina => hosted("https://api.jina.ai/v1", "JINA_API_KEY", PLAIN),
            Self::Voyage => hosted("https://api.voyageai.com/v1", "VOYAGE_API_KEY", STRICT),
            Self::Vllm => local("http://127.0.0.1:8000/v1", Some("VLLM_API_KEY")),
            Self::SgLang => local("http://127.0.0.1:30000/v1", None),
            Self::Tgi => local("http://127.0.0.1:3000/v1", Some("HF_TOKEN")),
            Self::Ollama => local("http://127.0.0.1:11434/v1", None),
            Self::LlamaCpp => local("http://127.0.0.1:8080/v1", Some("LLAMA_API_KEY")),
            Self::LmStudio => local("http://127.0.0.1:1234/v1", None),
        }
    }

    /// Whose address this is. Hosted servers are known by their host, local ones by their port on this machine.
    #[must_use]
    pub fn of_address(base_url: &str) -> Option<Self> {
        let (host, port) = authority(base_url)?;
        let loopback = host.eq_ignore_ascii_case("localhost") || host.starts_with("127.") || host == "[::1]";
        Self::ALL.into_iter().find(|preset| {
            let Known { base_url, needs_credential, .. } = preset.known();
            let known = authority(base_url);
            known.is_some_and(
                |(known, at)| if needs_credential { known.eq_ignore_ascii_case(host) } else { loopback && at == port },
            )
        })
    }
}

/// The host and the port of an address, as they are written.
fn authority(address: &str) -> Option<(&str, Option<&str>)> {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some((host, Some(port))),
        _ => Some((authority, None)),
    }
}

impl Habits {
    /// Of a server; one that nobody knows is taken to be plain. Azure's are OpenAI's.
    #[must_use]
    pub const fn of(kind: ProviderKind, preset: Option<Preset>) -> Self {
        match (kind, preset) {
            (ProviderKind::Azure, _) => OPENAI,
            (_, Some(preset)) => preset.known().habits,
            (_, None) => PLAIN,
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Habits, Preset, providers};
    use crate::spec::ProviderKind;

    #[test]
    fn the_committed_page_names_every_preset_with_its_address_and_its_variable() {
        let page = providers();
        for preset in Preset::ALL {
            let known = preset.known();
            let line = page.lines().find(|line| line.starts_with(&format!("| `{preset}` | `{}` |", known.base_url)));
            let line = line.unwrap_or_else(|| panic!("{preset}: {page}"));
            assert!(known.credential.is_none_or(|variable| line.contains(&format!("| `{variable}` |"))), "{line}");
        }
        assert!(page.contains("| `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` |"), "{page}");
        assert!(page.contains("| `local` | the models of this process | – | – |"), "{page}");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/providers.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed.ends_with(&page), "docs/reference/providers.md is not current: run `mainspring reference docs`");
    }

    #[test]
    fn a_preset_is_written_as_it_is_named() {
        for preset in Preset::ALL {
            let written = serde_json::to_value(preset).unwrap();
            assert_eq!(written, preset.as_str());
            assert_eq!(serde_json::from_value::<Preset>(written).unwrap(), preset);
        }
        assert_eq!(Preset::ALL.map(Preset::as_str).into_iter().collect::<BTreeSet<_>>().len(), Preset::ALL.len());
    }

    #[test]
    fn a_preset_is_known_by_its_address_and_by_no_other() {
        for preset in Preset::ALL {
            let known = preset.known();
            assert_eq!(Preset::of_address(known.base_url), Some(preset), "{}", known.base_url);
            assert!(!known.base_url.ends_with('/') && url::Url::parse(known.base_url).is_ok(), "{}", known.base_url);
            assert_eq!(known.needs_credential, known.base_url.starts_with("https://"));
        }
        assert_eq!(Preset::of_address("http://localhost:11434/v1"), Some(Preset::Ollama));
        assert_eq!(Preset::of_address("http://[::1]:8000/v1"), Some(Preset::Vllm));
        assert_eq!(Preset::of_address("https://API.OpenAI.com/v1"), Some(Preset::OpenAi));
        for unknown in ["http://gpu-7:8000/v1", "https://api.openai.com.example.net/v1", "http://127.0.0.1:9/v1", "nonsense", ""]
        {
            assert_eq!(Preset::of_address(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn only_openais_own_servers_are_told_of_developers() {
        let told: Vec<Preset> = Preset::ALL.into_iter().filter(|preset| preset.known().habits.developer).collect();
        assert_eq!(told, [Preset::OpenAi]);
        assert!(Habits::of(ProviderKind::Azure, None).developer && !Habits::of(ProviderKind::OpenAi, None).developer);
    }
}
