//! A model in memory: its weights, its words, its template.

use std::{path::Path, sync::Arc};

use llama_cpp_2::{
    model::{LlamaModel, params::LlamaModelParams},
    token::LlamaToken,
};
use mainspring_llm::Message;

use crate::{
    backend::{backend, last_error},
    template::{ChatTemplate, TemplateFault},
};

pub(crate) struct Model {
    pub(crate) llama: LlamaModel,
    /// Tokens a conversation may have.
    pub(crate) window: usize,
    template: Option<ChatTemplate>,
    /// What marks a message's border when it stands in text.
    controls: Vec<String>,
    bos: String,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("window", &self.window).finish_non_exhaustive()
    }
}

/// Why messages cannot become a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PromptFault {
    /// Made for continuing text only.
    NoTemplate,
    Refused(String),
    Broken(String),
}

impl Model {
    pub(crate) fn load(path: &Path, context: usize) -> Result<Arc<Self>, String> {
        let backend = backend()?;
        if !path.is_file() {
            return Err(format!("there is no file {}", path.display()));
        }
        let _ = last_error();
        let params = LlamaModelParams::default().with_n_gpu_layers(0);
        let llama = LlamaModel::load_from_file(backend, path, &params).map_err(|fault| match last_error() {
            Some(line) => format!("not a usable GGUF file: {line}"),
            None => format!("not a usable GGUF file: {fault}"),
        })?;
        let window = context.min(llama.n_ctx_train() as usize);
        let vocab = llama.vocab();
        let piece = |token: LlamaToken| String::from_utf8_lossy(&vocab.token_to_piece(token, true, None)).into_owned();
        let controls = vocab.tokens().filter(|token| vocab.is_control(*token)).map(piece).filter(|text| text.len() > 1);
        let controls: Vec<String> = controls.collect();
        let special = |token: LlamaToken| if token.0 >= 0 { piece(token) } else { String::new() };
        let (bos, eos) = (special(vocab.bos()), special(vocab.eos()));
        let source = llama.chat_template(None).ok().and_then(|template| template.to_string().ok());
        let template = match source.map(|source| ChatTemplate::new(source, bos.clone(), eos)) {
            None => None,
            Some(Ok(template)) => Some(template),
            Some(Err(fault)) => return Err(format!("its chat template cannot be used: {fault:?}")),
        };
        Ok(Arc::new(Self { window, template, controls, bos, llama }))
    }

    /// The tokens of messages, up to where the answer begins.
    pub(crate) fn chat_tokens(&self, messages: &[Message]) -> Result<Vec<LlamaToken>, PromptFault> {
        let template = self.template.as_ref().ok_or(PromptFault::NoTemplate)?;
        let render = |messages: &[Message]| {
            template.render(messages).map_err(|fault| match fault {
                TemplateFault::Refused(reason) => PromptFault::Refused(reason),
                TemplateFault::Broken(reason) => PromptFault::Broken(reason),
            })
        };
        let whole = render(messages)?;
        let mut tokens = self.start(&whole);
        if !messages.iter().any(|message| self.has_control(&message.content)) {
            tokens.extend(self.tokens(&whole, true));
            return Ok(tokens);
        }
        // Somebody wrote a control token into a message. Its template pieces are tokenised with
        // control tokens, the message without: the text stays, its power does not.
        let hollow: Vec<Message> =
            messages.iter().enumerate().map(|(i, message)| Message::new(message.role, placeholder(i))).collect();
        match pieces(&render(&hollow)?, messages) {
            Some(pieces) if pieces.iter().map(|piece| piece.text).collect::<String>() == whole => {
                for piece in pieces {
                    tokens.extend(self.tokens(piece.text, !piece.is_message));
                }
            }
            // The template looks into messages. Then the control token is broken up instead.
            _ => {
                let harmless: Vec<Message> =
                    messages.iter().map(|message| Message::new(message.role, self.defuse(&message.content))).collect();
                tokens.extend(self.tokens(&render(&harmless)?, true));
            }
        }
        Ok(tokens)
    }

    /// The tokens of raw text; whoever writes raw prompts writes control tokens on purpose.
    pub(crate) fn text_tokens(&self, text: &str) -> Vec<LlamaToken> {
        let mut tokens = self.start(text);
        tokens.extend(self.tokens(text, true));
        tokens
    }

    fn start(&self, text: &str) -> Vec<LlamaToken> {
        let vocab = self.llama.vocab();
        let wanted = vocab.should_add_bos() && vocab.bos().0 >= 0 && (self.bos.is_empty() || !text.starts_with(&self.bos));
        if wanted { vec![vocab.bos()] } else { Vec::new() }
    }

    fn tokens(&self, text: &str, controls: bool) -> Vec<LlamaToken> {
        self.llama.vocab().tokenize(text.as_bytes(), false, controls)
    }

    fn has_control(&self, text: &str) -> bool {
        self.controls.iter().any(|control| text.contains(control.as_str()))
    }

    /// Puts a zero-width space into every control token.
    fn defuse(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for control in &self.controls {
            let first = control.chars().next().map_or(0, char::len_utf8);
            let broken = format!("{}\u{200B}{}", &control[..first], &control[first..]);
            text = text.replace(control.as_str(), &broken);
        }
        text
    }

    pub(crate) fn is_end(&self, token: LlamaToken) -> bool {
        self.llama.vocab().is_eog(token)
    }

    pub(crate) fn bytes(&self, token: LlamaToken) -> Vec<u8> {
        self.llama.vocab().token_to_piece(token, false, None)
    }
}

/// Private-use characters: no template asks about them.
fn placeholder(index: usize) -> String {
    format!("\u{E0F1}{index}\u{E0F2}")
}

#[derive(Debug, PartialEq, Eq)]
struct Piece<'a> {
    text: &'a str,
    is_message: bool,
}

/// A rendered template with its placeholders filled in, in pieces.
fn pieces<'a>(rendered: &'a str, messages: &'a [Message]) -> Option<Vec<Piece<'a>>> {
    let mut pieces = Vec::new();
    let mut rest = rendered;
    while let Some((before, after)) = rest.split_once('\u{E0F1}') {
        let (number, after) = after.split_once('\u{E0F2}')?;
        let message = messages.get(number.parse::<usize>().ok()?)?;
        pieces.push(Piece { text: before, is_message: false });
        pieces.push(Piece { text: &message.content, is_message: true });
        rest = after;
    }
    pieces.push(Piece { text: rest, is_message: false });
    Some(pieces)
}
