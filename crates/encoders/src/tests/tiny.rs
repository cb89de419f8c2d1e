//! Tiny ONNX models, written here.

use std::{cell::RefCell, path::Path};

use rten_onnx::{
    onnx::{
        AttributeProto, AttributeType, DataType, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
        TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
    },
    protobuf::EncodeMessage,
};

fn value(name: &str, kind: DataType, dims: &[&str]) -> ValueInfoProto {
    let dim = dims.iter().map(|dim| Dimension { dim_param: Some((*dim).to_owned()), ..Dimension::default() }).collect();
    let tensor = TypeProtoTensor { elem_type: Some(kind), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type: Some(tensor), ..TypeProto::default() }) }
}

fn node(op: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: Some(op.to_owned()),
        name: Some(format!("{op}-{output}")),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute,
        ..NodeProto::default()
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), i: Some(value), r#type: Some(AttributeType::INT), ..AttributeProto::default() }
}

/// A classifier of `classes` outputs: the weights of a pair's tokens, added up. `weights` has one row per id.
pub(super) fn classifier(path: &Path, weights: &[Vec<f32>]) {
    let classes = weights[0].len();
    let raw = weights.iter().flatten().flat_map(|weight| weight.to_le_bytes()).collect();
    let table = TensorProto {
        name: Some("table".to_owned()),
        dims: vec![weights.len() as i64, classes as i64],
        data_type: Some(DataType::FLOAT),
        raw_data: Some(RefCell::new(raw)),
        ..TensorProto::default()
    };
    let axes = TensorProto {
        name: Some("axes".to_owned()),
        dims: vec![1],
        data_type: Some(DataType::INT64),
        int64_data: vec![1],
        ..TensorProto::default()
    };
    let graph = GraphProto {
        node: vec![
            node("Gather", &["table", "input_ids"], "each", vec![int("axis", 0)]),
            node("ReduceSum", &["each", "axes"], "logits", vec![int("keepdims", 0)]),
        ],
        initializer: vec![table, axes],
        input: vec![value("input_ids", DataType::INT64, &["batch", "sequence"])],
        output: vec![value("logits", DataType::FLOAT, &["batch", "classes"])],
        ..GraphProto::default()
    };
    let model = ModelProto {
        ir_version: Some(8),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { version: Some(13), ..OperatorSetIdProto::default() }],
        ..ModelProto::default()
    };
    let mut bytes = Vec::new();
    model.encode(rten_onnx::protobuf::ValueWriter::new(&mut bytes)).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn floats(name: &str, dims: &[i64]) -> TensorProto {
    let count = dims.iter().product::<i64>();
    let raw = (0..count).flat_map(|i| (((i * 31 + name.len() as i64) % 17) as f32 / 17.0 - 0.5).to_le_bytes()).collect();
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(DataType::FLOAT),
        raw_data: Some(RefCell::new(raw)),
        ..TensorProto::default()
    }
}

/// A BERT of one layer and 32 numbers, as exporters write one: its weights and what multiplies by them, nothing else.
pub(super) fn bert(change: impl FnOnce(&mut ModelProto)) -> Vec<u8> {
    let mut graph = GraphProto::default();
    for (table, rows) in [("word", 40), ("position", 80), ("token_type", 2)] {
        graph.initializer.push(floats(&format!("embeddings.{table}_embeddings.weight"), &[rows, 32]));
    }
    for norm in ["embeddings", "encoder.layer.0.attention.output", "encoder.layer.0.output"] {
        graph.initializer.push(floats(&format!("{norm}.LayerNorm.weight"), &[32]));
        graph.initializer.push(floats(&format!("{norm}.LayerNorm.bias"), &[32]));
    }
    let parts = [
        ("attention.self.query", 32, 32),
        ("attention.self.key", 32, 32),
        ("attention.self.value", 32, 32),
        ("attention.output.dense", 32, 32),
        ("intermediate.dense", 32, 64),
        ("output.dense", 64, 32),
    ];
    for (number, (part, inputs, outputs)) in parts.into_iter().enumerate() {
        let (weight, bias) = (format!("onnx::MatMul_{number}"), format!("encoder.layer.0.{part}.bias"));
        graph.initializer.push(floats(&weight, &[inputs, outputs]));
        graph.initializer.push(floats(&bias, &[outputs]));
        graph.node.push(node("MatMul", &["x", &weight], &format!("product-{number}"), Vec::new()));
        graph.node.push(node("Add", &[&bias, &format!("product-{number}")], &format!("sum-{number}"), Vec::new()));
    }
    let mut model = ModelProto { ir_version: Some(8), graph: Some(graph), ..ModelProto::default() };
    change(&mut model);
    let mut bytes = Vec::new();
    model.encode(rten_onnx::protobuf::ValueWriter::new(&mut bytes)).unwrap();
    bytes
}
