use crate::{
    bytes::{Reader, Writer},
    fault::SketchFault,
    random::stable_hash,
};

const BITS: u32 = 12;
const REGISTERS: usize = 1 << BITS;
/// The longest run of zeros that the rest of a hash can have, and one.
const HIGHEST: u8 = (64 - BITS + 1) as u8;

/// How many different things there were, to about 1.6 % (one standard error), mergeable.
///
/// HyperLogLog (Flajolet and others, 2007) with 4,096 registers and the estimator of Ertl, "New cardinality estimation
/// algorithms for HyperLogLog sketches", 2017, which needs no tables of corrections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinct {
    registers: Box<[u8; REGISTERS]>,
}

impl Default for Distinct {
    fn default() -> Self {
        Self { registers: Box::new([0; REGISTERS]) }
    }
}

impl Distinct {
    pub fn add(&mut self, thing: &[u8]) {
        let hash = stable_hash(thing);
        let register = &mut self.registers[(hash >> (64 - BITS)) as usize];
        let run = ((hash << BITS).leading_zeros() as u8 + 1).min(HIGHEST);
        *register = (*register).max(run);
    }

    pub fn merge(&mut self, other: &Self) {
        for (register, theirs) in self.registers.iter_mut().zip(other.registers.iter()) {
            *register = (*register).max(*theirs);
        }
    }

    #[must_use]
    pub fn estimate(&self) -> f64 {
        let mut held = [0_u32; HIGHEST as usize + 1];
        for register in self.registers.iter() {
            held[usize::from(*register).min(HIGHEST as usize)] += 1;
        }
        let all = REGISTERS as f64;
        let top = usize::from(HIGHEST);
        let mut sum = all * tau(1.0 - f64::from(held[top]) / all);
        for count in held[1..top].iter().rev() {
            sum = 0.5 * (sum + f64::from(*count));
        }
        sum += all * sigma(f64::from(held[0]) / all);
        if sum.is_infinite() { 0.0 } else { all * all / (2.0 * std::f64::consts::LN_2) / sum }
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        let used = self.registers.iter().filter(|register| **register > 0).count();
        if used * 3 > REGISTERS {
            writer.raw(&[1]);
            writer.raw(&self.registers[..]);
            return writer.done();
        }
        writer.raw(&[0]);
        writer.count(used as u64);
        let mut last = 0;
        for (place, register) in self.registers.iter().enumerate().filter(|(_, register)| **register > 0) {
            writer.count((place - last) as u64);
            writer.raw(&[*register]);
            last = place;
        }
        writer.done()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchFault> {
        let mut reader = Reader::new(bytes, "sketch of distinct things")?;
        let mut read = Self::default();
        match reader.byte()? {
            0 => {
                let mut place = 0_usize;
                for index in 0..reader.length(REGISTERS)? {
                    let further = usize::try_from(reader.count()?).map_err(|_| reader.bad())?;
                    let register = reader.byte()?;
                    place = place.checked_add(further).filter(|place| *place < REGISTERS).ok_or(reader.bad())?;
                    if register == 0 || register > HIGHEST || (index > 0 && further == 0) {
                        return Err(reader.bad());
                    }
                    read.registers[place] = register;
                }
            }
            1 => {
                read.registers.copy_from_slice(reader.raw(REGISTERS)?);
                if read.registers.iter().any(|register| *register > HIGHEST) {
                    return Err(reader.bad());
                }
            }
            _ => return Err(reader.bad()),
        }
        reader.done()?;
        Ok(read)
    }
}

/// Ertl's correction for registers that are still zero.
fn sigma(share: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut weight, mut sum) = (share, 1.0, share);
    loop {
        power *= power;
        let before = sum;
        sum += power * weight;
        weight += weight;
        if sum <= before {
            return sum;
        }
    }
}

/// Ertl's correction for registers that can go no higher.
fn tau(share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let (mut root, mut weight, mut sum) = (share, 1.0, 1.0 - share);
    loop {
        root = root.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - root).powi(2) * weight;
        if sum >= before {
            return sum / 3.0;
        }
    }
}
