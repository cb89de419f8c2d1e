//! Whether this CPU can run what was built: the binary is compiled for x86-64-v3.

use mainspring_kernel::{Fault, FaultKind};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this CPU lacks {}", missing.join(", "))]
pub struct CpuFault {
    pub missing: Vec<&'static str>,
}

impl Fault for CpuFault {
    fn kind(&self) -> FaultKind {
        FaultKind::Unsupported
    }
    fn code(&self) -> &'static str {
        "cpu-too-old"
    }
    fn hint(&self) -> Option<String> {
        Some("Mainspring needs an x86-64-v3 CPU (Intel Haswell, AMD Excavator or newer); in a virtual machine, choose a newer CPU type".to_owned())
    }
}

/// Asks the CPU itself: the compiler's own detection answers at compile time here. The binary asks the same before
/// anything else runs; this says which instructions are missing.
#[cfg(target_arch = "x86_64")]
pub fn check_cpu() -> Result<(), CpuFault> {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    let one = __cpuid(1);
    let seven = if __cpuid(0).eax >= 7 { __cpuid_count(7, 0).ebx } else { 0 };
    let extended = if __cpuid(0x8000_0000).eax > 0x8000_0000 { __cpuid(0x8000_0001).ecx } else { 0 };
    let needed = [
        ("fma", one.ecx >> 12),
        ("movbe", one.ecx >> 22),
        ("osxsave", one.ecx >> 27),
        ("avx", one.ecx >> 28),
        ("f16c", one.ecx >> 29),
        ("bmi1", seven >> 3),
        ("avx2", seven >> 5),
        ("bmi2", seven >> 8),
        ("lzcnt", extended >> 5),
    ];
    let missing: Vec<_> = needed.into_iter().filter(|(_, bit)| bit & 1 == 0).map(|(name, _)| name).collect();
    if missing.is_empty() { Ok(()) } else { Err(CpuFault { missing }) }
}

#[cfg(not(target_arch = "x86_64"))]
pub fn check_cpu() -> Result<(), CpuFault> {
    Ok(())
}
