//! Weights as the units take them.

use super::{
    buffer::Aligned,
    recognise::{Linear, Table},
    unit::{BLOCK, PANEL_STEP},
};

/// A linear layer: panels of 32 outputs, in each step of 32 inputs two tiles, in a tile 16 rows of a pair of
/// inputs for each of 16 outputs.
#[derive(Debug)]
pub(super) struct Panels {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    packed: Aligned<u16>,
    /// Each output is its product times this,
    pub(super) scale: Vec<f32>,
    /// plus this.
    pub(super) bias: Vec<f32>,
}

impl Panels {
    /// Several layers of the same inputs, side by side.
    pub(super) fn of(layers: &[&Linear]) -> Self {
        let inputs = layers[0].weight.rows;
        let outputs = layers.iter().map(|layer| layer.weight.columns).sum();
        let mut packed = Aligned::zeroed(inputs * outputs);
        let mut first = 0;
        for layer in layers {
            for input in 0..inputs {
                for output in 0..layer.weight.columns {
                    packed[place(inputs, input, first + output)] = bf16(layer.weight.number(input, output));
                }
            }
            first += layer.weight.columns;
        }
        let scale = layers.iter().flat_map(|layer| (0..layer.weight.columns).map(|column| layer.weight.column_scale(column)));
        let bias = layers.iter().flat_map(|layer| layer.bias.iter().copied());
        Self { inputs, outputs, packed, scale: scale.collect(), bias: bias.collect() }
    }

    /// Multiplies the first `outputs`.
    pub(super) fn scale_first(&mut self, outputs: usize, by: f32) {
        self.scale[..outputs].iter_mut().chain(&mut self.bias[..outputs]).for_each(|value| *value *= by);
    }

    pub(super) fn steps(&self) -> usize {
        self.inputs / BLOCK
    }

    pub(super) fn panel(&self, number: usize) -> &[u16] {
        let size = self.steps() * PANEL_STEP;
        &self.packed[number * size..(number + 1) * size]
    }
}

fn place(inputs: usize, input: usize, output: usize) -> usize {
    let (panel, column) = (output / BLOCK, output % BLOCK);
    let (step, row) = (input / BLOCK, input % BLOCK);
    let tile = (panel * (inputs / BLOCK) + step) * PANEL_STEP + column / 16 * (PANEL_STEP / 2);
    tile + row / 2 * 32 + column % 16 * 2 + row % 2
}

/// Rounded to the nearest, halves to even. Integers up to 256 are exact.
pub(super) fn bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    (rounded >> 16) as u16
}

/// Rows of an embedding table.
impl Table {
    pub(super) fn add_row(&self, row: usize, to: &mut [f32]) {
        let range = row * self.columns..(row + 1) * self.columns;
        match &self.values {
            super::recognise::Values::Float(values) => {
                to.iter_mut().zip(&values[range]).for_each(|(to, value)| *to += value);
            }
            super::recognise::Values::Int8 { values, scale, by_row } => {
                for (column, (to, value)) in to.iter_mut().zip(&values[range]).enumerate() {
                    *to += f32::from(*value) * scale[if *by_row { row } else { column }];
                }
            }
        }
    }
}
