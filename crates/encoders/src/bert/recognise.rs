//! Finds BERT's weights in an ONNX graph, by the names its exporters keep.

use std::collections::HashMap;

use rten_onnx::onnx::{DataType, GraphProto, ModelProto, NodeProto, TensorProto};

/// A matrix `[rows, columns]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Values,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    Float(Vec<f32>),
    /// Times the scale of the row or of the column.
    Int8 {
        values: Vec<i8>,
        scale: Vec<f32>,
        by_row: bool,
    },
}

/// `x · weight + bias`, the weight as `[inputs, outputs]`.
#[derive(Debug, PartialEq)]
pub(super) struct Linear {
    pub(super) weight: Table,
    pub(super) bias: Vec<f32>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Norm {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

#[derive(Debug)]
pub(super) struct Layer {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    pub(super) output_norm: Norm,
    pub(super) inner: Linear,
    pub(super) outer: Linear,
    pub(super) outer_norm: Norm,
}

#[derive(Debug)]
pub(crate) struct Recognised {
    pub(super) hidden: usize,
    pub(super) words: Table,
    pub(super) places: Table,
    pub(super) types: Table,
    pub(super) norm: Norm,
    pub(super) layers: Vec<Layer>,
}

impl Table {
    /// Before its column's scale.
    pub(super) fn number(&self, row: usize, column: usize) -> f32 {
        let at = row * self.columns + column;
        match &self.values {
            Values::Float(values) => values[at],
            Values::Int8 { values, scale, by_row: true } => f32::from(values[at]) * scale[row],
            Values::Int8 { values, .. } => f32::from(values[at]),
        }
    }

    pub(super) fn column_scale(&self, column: usize) -> f32 {
        match &self.values {
            Values::Int8 { scale, by_row: false, .. } => scale[column],
            _ => 1.0,
        }
    }
}

impl Recognised {
    pub(super) fn of(model: &ModelProto) -> Result<Self, String> {
        let graph = Graph::of(model.graph.as_ref().ok_or("the model has no graph")?);
        let words = graph.named("embeddings.word_embeddings.weight")?;
        let hidden = words.columns;
        let mut layers = Vec::new();
        while graph.has(&format!("encoder.layer.{}.attention.self.query.bias", layers.len())) {
            layers.push(graph.layer(layers.len())?);
        }
        let recognised = Self {
            hidden,
            words,
            places: graph.named("embeddings.position_embeddings.weight")?,
            types: graph.named("embeddings.token_type_embeddings.weight")?,
            norm: graph.norm("embeddings.LayerNorm")?,
            layers,
        };
        recognised.check()?;
        Ok(recognised)
    }

    /// Every shape, so that nothing after this has to.
    fn check(&self) -> Result<(), String> {
        let hidden = self.hidden;
        let linear = |one: &Linear, inputs, outputs| {
            one.weight.rows == inputs && one.weight.columns == outputs && one.bias.len() == outputs
        };
        let norm = |one: &Norm| one.weight.len() == hidden && one.bias.len() == hidden;
        let tables = [&self.words, &self.places, &self.types];
        let mut good = hidden > 0 && hidden.is_multiple_of(32) && !self.layers.is_empty() && norm(&self.norm);
        good &= tables.iter().all(|table| table.columns == hidden && table.rows > 0);
        for layer in &self.layers {
            let inner = layer.inner.bias.len();
            good &= inner > 0 && inner.is_multiple_of(32) && norm(&layer.output_norm) && norm(&layer.outer_norm);
            good &= [&layer.query, &layer.key, &layer.value, &layer.output].iter().all(|one| linear(one, hidden, hidden));
            good &= linear(&layer.inner, hidden, inner) && linear(&layer.outer, inner, hidden);
        }
        if good { Ok(()) } else { Err("the weights do not have a BERT's shapes".to_owned()) }
    }
}

struct Graph<'a> {
    weights: HashMap<&'a str, &'a TensorProto>,
    makers: HashMap<&'a str, &'a NodeProto>,
    /// The additions and what they add, by either name.
    additions: HashMap<&'a str, &'a NodeProto>,
}

impl<'a> Graph<'a> {
    fn of(graph: &'a GraphProto) -> Self {
        let named = graph.initializer.iter().filter_map(|tensor| Some((tensor.name.as_deref()?, tensor)));
        let made = graph.node.iter().flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node)));
        let added = graph.node.iter().filter(|node| node.op_type.as_deref() == Some("Add"));
        let additions = added.flat_map(|node| node.input.iter().map(move |name| (name.as_str(), node)));
        Self { weights: named.collect(), makers: made.collect(), additions: additions.collect() }
    }

    fn names(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.weights.keys().chain(self.makers.keys()).copied()
    }

    /// The one weight whose name ends so; what stands before is the exporter's.
    fn full(&self, ending: &str) -> Result<&'a str, String> {
        let ends = |name: &&str| name.strip_suffix(ending).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        let mut found = self.names().filter(ends);
        match (found.next(), found.next()) {
            (Some(name), None) => Ok(name),
            _ => Err(format!("the model has not one `{ending}`")),
        }
    }

    fn has(&self, ending: &str) -> bool {
        self.full(ending).is_ok()
    }

    fn named(&self, ending: &str) -> Result<Table, String> {
        self.table(self.full(ending)?)
    }

    fn vector(&self, ending: &str) -> Result<Vec<f32>, String> {
        let tensor = self.weights.get(self.full(ending)?).ok_or_else(|| format!("`{ending}` is not a weight"))?;
        floats(tensor)
    }

    fn norm(&self, name: &str) -> Result<Norm, String> {
        Ok(Norm { weight: self.vector(&format!("{name}.weight"))?, bias: self.vector(&format!("{name}.bias"))? })
    }

    /// The bias keeps its name where the weight, which exporters transpose, has lost it.
    fn linear(&self, name: &str) -> Result<Linear, String> {
        let bias = self.full(&format!("{name}.bias"))?;
        let lost = || format!("the weight of `{name}` is not found");
        let addition = self.additions.get(bias).ok_or_else(lost)?;
        let product = addition.input.iter().find(|input| *input != bias).ok_or_else(lost)?;
        let product =
            self.makers.get(product.as_str()).filter(|node| node.op_type.as_deref() == Some("MatMul")).ok_or_else(lost)?;
        let weight = self.table(product.input.get(1).ok_or_else(lost)?)?;
        Ok(Linear { weight, bias: self.vector(&format!("{name}.bias"))? })
    }

    fn layer(&self, number: usize) -> Result<Layer, String> {
        let name = |part: &str| format!("encoder.layer.{number}.{part}");
        Ok(Layer {
            query: self.linear(&name("attention.self.query"))?,
            key: self.linear(&name("attention.self.key"))?,
            value: self.linear(&name("attention.self.value"))?,
            output: self.linear(&name("attention.output.dense"))?,
            output_norm: self.norm(&name("attention.output.LayerNorm"))?,
            inner: self.linear(&name("intermediate.dense"))?,
            outer: self.linear(&name("output.dense"))?,
            outer_norm: self.norm(&name("output.LayerNorm"))?,
        })
    }

    /// A weight as it is, or int8 that the graph turns to floats: `Mul(Cast(values), scale)`.
    fn table(&self, name: &str) -> Result<Table, String> {
        if let Some(tensor) = self.weights.get(name) {
            let (rows, columns) = shape(tensor)?;
            return Ok(Table { rows, columns, values: Values::Float(floats(tensor)?) });
        }
        let other = || format!("`{name}` is neither a weight nor int8 with a scale");
        let made = |name: &str, by: &str| self.makers.get(name).copied().filter(|node| node.op_type.as_deref() == Some(by));
        let times = made(name, "Mul").ok_or_else(other)?;
        let [cast, scale] = &times.input[..] else { return Err(other()) };
        let cast = made(cast, "Cast").ok_or_else(other)?;
        let tensor = cast.input.first().and_then(|name| self.weights.get(name.as_str())).ok_or_else(other)?;
        let scale = self.weights.get(scale.as_str()).ok_or_else(other)?;
        let (rows, columns) = shape(tensor)?;
        let by_row = match shape(scale)? {
            (scales, 1) if scales == rows => true,
            (1, scales) if scales == columns => false,
            _ => return Err(other()),
        };
        Ok(Table { rows, columns, values: Values::Int8 { values: bytes(tensor)?, scale: floats(scale)?, by_row } })
    }
}

fn shape(tensor: &TensorProto) -> Result<(usize, usize), String> {
    match tensor.dims[..] {
        [rows, columns] if rows > 0 && columns > 0 => Ok((rows as usize, columns as usize)),
        _ => Err(format!("a weight has the shape {:?}", tensor.dims)),
    }
}

/// How many numbers a tensor says it has. A damaged file may say anything.
fn count(tensor: &TensorProto) -> Option<usize> {
    tensor.dims.iter().try_fold(1_usize, |count, dim| count.checked_mul(usize::try_from(*dim).ok()?))
}

fn floats(tensor: &TensorProto) -> Result<Vec<f32>, String> {
    let other = || "a weight is not floats in the file".to_owned();
    if tensor.data_type != Some(DataType::FLOAT) {
        return Err(other());
    }
    let values: Vec<f32> = match &tensor.raw_data {
        Some(raw) => raw.borrow().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        None => tensor.float_data.clone(),
    };
    if Some(values.len()) == count(tensor) { Ok(values) } else { Err(other()) }
}

fn bytes(tensor: &TensorProto) -> Result<Vec<i8>, String> {
    let other = || "a weight is not int8 in the file".to_owned();
    let raw = tensor.raw_data.as_ref().ok_or_else(other)?.borrow();
    if tensor.data_type != Some(DataType::INT8) || Some(raw.len()) != count(tensor) {
        return Err(other());
    }
    Ok(raw.iter().map(|byte| byte.cast_signed()).collect())
}
