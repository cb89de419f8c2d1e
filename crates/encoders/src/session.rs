//! One ONNX model in rten: padded rows in, numbers out.

use std::{path::Path, sync::Arc};

use rten::{DataType, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView, ValueType, ValueView};
use rten_tensor::prelude::*;

use crate::{batch::Padded, onnx};

/// A model's answer to a batch: `[rows, width, depth]` where it answers for every token,
/// `[rows, depth]` (with a width of zero) where it answers for the row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Output {
    pub(crate) width: usize,
    pub(crate) depth: usize,
    pub(crate) data: Vec<f32>,
}

/// What runs a batch. The engine is tested on another one than rten.
pub(crate) trait Forward: Send + Sync + 'static {
    fn forward(&self, batch: &Padded, threads: &Threads) -> Result<Output, String>;
}

/// The threads inside one batch.
#[derive(Debug, Clone)]
pub(crate) struct Threads(Arc<ThreadPool>);

impl Threads {
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(ThreadPool::with_num_threads(count)))
    }

    /// Runs `work` in here, where parallel iterators use these threads.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.0.run(work)
    }
}

pub(crate) struct Session {
    model: Model,
    ids: NodeId,
    mask: Option<NodeId>,
    types: Option<NodeId>,
    output: NodeId,
}

impl Session {
    /// Ready to run many batches.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        Self::read(path, true)
    }

    /// Ready to run one batch: loaded in less time and memory, slow to run.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn load_for_once(path: &Path) -> Result<Self, String> {
        Self::read(path, false)
    }

    fn read(path: &Path, tuned: bool) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|fault| format!("cannot read {}: {fault}", path.display()))?;
        onnx::parse(&bytes)?;
        // A damaged file must not take the process with it.
        let loaded = std::panic::catch_unwind(|| {
            let mut options = ModelOptions::with_all_ops();
            options.prepack_weights(tuned).enable_optimization(tuned);
            options.load(bytes)
        });
        let model = match loaded {
            Ok(Ok(model)) => model,
            Ok(Err(fault)) => return Err(format!("not a usable ONNX model: {fault}")),
            Err(_) => return Err("not a usable ONNX model".to_owned()),
        };
        Self::of(model)
    }

    fn of(model: Model) -> Result<Self, String> {
        let named = |nodes: &[NodeId], names: &[&str]| {
            let name = |id: &NodeId| model.node_info(*id).and_then(|info| info.name().map(str::to_owned));
            names.iter().find_map(|wanted| nodes.iter().copied().find(|id| name(id).as_deref() == Some(*wanted)))
        };
        let inputs = model.input_ids();
        let ids = named(inputs, &["input_ids"]).ok_or("the model has no input `input_ids`")?;
        let mask = named(inputs, &["attention_mask"]);
        let types = named(inputs, &["token_type_ids"]);
        let known = [Some(ids), mask, types];
        if inputs.iter().any(|id| !known.contains(&Some(*id))) {
            return Err("the model has inputs other than ids, mask and types".to_owned());
        }
        let outputs = model.output_ids();
        let output = named(outputs, &["last_hidden_state", "token_embeddings", "logits"])
            .or_else(|| likeliest(&model, outputs))
            .ok_or("the model has no output")?;
        Ok(Self { ids, mask, types, output, model })
    }
}

/// Of outputs whose names say nothing: floats for every token, then floats, then the first.
fn likeliest(model: &Model, outputs: &[NodeId]) -> Option<NodeId> {
    let rank = |id: &NodeId| {
        let info = model.node_info(*id)?;
        let floats = info.dtype()? == ValueType::Tensor(DataType::Float);
        floats.then(|| info.shape().map_or(0, |shape| shape.len()))
    };
    let of_tokens = outputs.iter().find(|id| rank(id) == Some(3));
    of_tokens.or_else(|| outputs.iter().find(|id| rank(id).is_some())).or_else(|| outputs.first()).copied()
}

impl Forward for Session {
    fn forward(&self, batch: &Padded, threads: &Threads) -> Result<Output, String> {
        let shape = [batch.rows, batch.width];
        let view = |data| -> Result<ValueOrView<'_>, String> {
            ValueView::from_shape(shape, data).map(Into::into).map_err(|fault| fault.to_string())
        };
        let mut inputs = vec![(self.ids, view(&batch.ids)?)];
        if let Some(mask) = self.mask {
            inputs.push((mask, view(&batch.mask)?));
        }
        if let Some(types) = self.types {
            inputs.push((types, view(&batch.types)?));
        }
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&threads.0)));
        let [value] = self.model.run_n(inputs, [self.output], Some(options)).map_err(|fault| fault.to_string())?;
        read_output(value, batch)
    }
}

fn read_output(value: Value, batch: &Padded) -> Result<Output, String> {
    let Value::FloatTensor(tensor) = value else { return Err("the model does not answer with floats".to_owned()) };
    let shape = tensor.shape().to_vec();
    match shape[..] {
        [rows, width, depth] if rows == batch.rows && width == batch.width => {
            Ok(Output { width, depth, data: tensor.into_data() })
        }
        [rows, depth] if rows == batch.rows => Ok(Output { width: 0, depth, data: tensor.into_data() }),
        _ => Err(format!("the model answered with shape {shape:?} to {} rows of {}", batch.rows, batch.width)),
    }
}
