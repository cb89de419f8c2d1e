//! Providers by the words that other gateways have for them.

use mainspring_providers::{Preset, ProviderKind, ProviderSpec};

use crate::draft;

/// A provider that can be reached from here, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    place: Place,
    /// Where LiteLLM looks for its key; absent: no key is needed.
    litellm: Option<&'static str>,
    /// Where most look for it.
    usual: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Kind(ProviderKind),
    Preset(Preset),
    /// Speaks OpenAI's dialect at this address.
    Server(&'static str),
}

const fn kind(kind: ProviderKind, variable: Option<&'static str>) -> Known {
    Known { place: Place::Kind(kind), litellm: variable, usual: variable }
}

const fn hosted(preset: Preset, litellm: &'static str) -> Known {
    Known { place: Place::Preset(preset), litellm: Some(litellm), usual: preset.known().credential }
}

const fn here(preset: Preset) -> Known {
    Known { place: Place::Preset(preset), litellm: None, usual: None }
}

const fn server(address: &'static str, variable: &'static str) -> Known {
    Known { place: Place::Server(address), litellm: Some(variable), usual: Some(variable) }
}

impl Known {
    /// By a word of any of the gateways: `together_ai`, `together-ai`, `@azure-openai`.
    pub(crate) fn of(word: &str) -> Option<Self> {
        let word = word.trim().trim_start_matches('@').to_ascii_lowercase().replace('_', "-");
        Some(match word.as_str() {
            "openai" | "text-completion-openai" | "custom-openai" | "openai-like" => hosted(Preset::OpenAi, "OPENAI_API_KEY"),
            "azure" | "azure-openai" | "azure-text" => kind(ProviderKind::Azure, Some("AZURE_API_KEY")),
            "anthropic" | "anthropic-text" => kind(ProviderKind::Anthropic, Some("ANTHROPIC_API_KEY")),
            "gemini" | "google" | "google-ai-studio-gemini" | "google-ai-studio" => {
                kind(ProviderKind::Gemini, Some("GEMINI_API_KEY"))
            }
            "bedrock" | "aws-bedrock" | "bedrock-converse" => kind(ProviderKind::Bedrock, None),
            "groq" => hosted(Preset::Groq, "GROQ_API_KEY"),
            "together" | "together-ai" => hosted(Preset::Together, "TOGETHERAI_API_KEY"),
            "mistral" | "mistral-ai" => hosted(Preset::Mistral, "MISTRAL_API_KEY"),
            "deepseek" => hosted(Preset::DeepSeek, "DEEPSEEK_API_KEY"),
            "openrouter" => hosted(Preset::OpenRouter, "OPENROUTER_API_KEY"),
            "fireworks" | "fireworks-ai" => hosted(Preset::Fireworks, "FIREWORKS_AI_API_KEY"),
            "xai" | "x-ai" => hosted(Preset::Xai, "XAI_API_KEY"),
            "perplexity" | "perplexity-ai" => hosted(Preset::Perplexity, "PERPLEXITYAI_API_KEY"),
            "cerebras" => hosted(Preset::Cerebras, "CEREBRAS_API_KEY"),
            "sambanova" => hosted(Preset::SambaNova, "SAMBANOVA_API_KEY"),
            "huggingface" => hosted(Preset::HuggingFace, "HUGGINGFACE_API_KEY"),
            "deepinfra" => hosted(Preset::DeepInfra, "DEEPINFRA_API_KEY"),
            "moonshot" => hosted(Preset::Moonshot, "MOONSHOT_API_KEY"),
            "dashscope" => hosted(Preset::DashScope, "DASHSCOPE_API_KEY"),
            "cohere" | "cohere-chat" => hosted(Preset::CohereCompat, "COHERE_API_KEY"),
            "jina" | "jina-ai" => hosted(Preset::Jina, "JINA_AI_API_KEY"),
            "voyage" => hosted(Preset::Voyage, "VOYAGE_API_KEY"),
            "nvidia-nim" | "nvidia" => hosted(Preset::NvidiaNim, "NVIDIA_NIM_API_KEY"),
            "vllm" | "hosted-vllm" => here(Preset::Vllm),
            "sglang" => here(Preset::SgLang),
            "tgi" => here(Preset::Tgi),
            "ollama" | "ollama-chat" => here(Preset::Ollama),
            "llamafile" | "llama-cpp" | "llamacpp" => here(Preset::LlamaCpp),
            "lm-studio" => here(Preset::LmStudio),
            "hyperbolic" => server("https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
            "novita" | "novita-ai" => server("https://api.novita.ai/v3/openai", "NOVITA_API_KEY"),
            "ai21" | "ai21-chat" => server("https://api.ai21.com/studio/v1", "AI21_API_KEY"),
            "featherless-ai" => server("https://api.featherless.ai/v1", "FEATHERLESS_AI_API_KEY"),
            "github" => server("https://models.github.ai/inference", "GITHUB_API_KEY"),
            "zai" | "z-ai" => server("https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
            _ => return None,
        })
    }

    /// A server of OpenAI's dialect that nobody has a word for.
    pub(crate) const fn compatible() -> Self {
        Self { place: Place::Kind(ProviderKind::OpenAi), litellm: None, usual: None }
    }

    pub(crate) const fn kind(self) -> ProviderKind {
        match self.place {
            Place::Kind(kind) => kind,
            Place::Preset(_) | Place::Server(_) => ProviderKind::OpenAi,
        }
    }

    pub(crate) const fn is(self, preset: Preset) -> bool {
        matches!(self.place, Place::Preset(known) if known as u8 == preset as u8)
    }

    pub(crate) const fn litellm(self) -> Option<&'static str> {
        self.litellm
    }

    pub(crate) const fn usual(self) -> Option<&'static str> {
        self.usual
    }

    /// The provider's spec without a key; at another address than the usual one where one is given.
    pub(crate) fn spec(self, address: Option<String>) -> ProviderSpec {
        let address =
            address.map(|address| address.trim().trim_end_matches('/').to_owned()).filter(|address| !address.is_empty());
        let mut spec = draft::provider(self.kind());
        match (self.place, address) {
            (Place::Preset(preset), None) => spec.preset = Some(preset),
            (Place::Preset(preset), Some(address)) if address == preset.known().base_url => spec.preset = Some(preset),
            // Others give OpenAI's name to every server of its dialect: that word says nothing of habits at another address.
            (Place::Preset(preset), Some(address)) if preset != Preset::OpenAi => {
                (spec.preset, spec.base_url) = (Some(preset), Some(address));
            }
            (Place::Server(server), None) => spec.base_url = Some(server.to_owned()),
            (_, address) => spec.base_url = address,
        }
        spec
    }
}
