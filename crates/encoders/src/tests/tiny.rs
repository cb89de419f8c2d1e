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
