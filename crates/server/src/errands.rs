//! Errands at the traces of a gateway, each run by a process of its own: this binary, as `mainspring __errand`.

use std::{
    path::PathBuf,
    process::{ExitCode, Stdio},
    sync::Arc,
};

use async_trait::async_trait;
use mainspring_blobs::Blobs;
use mainspring_config::Config;
use mainspring_kernel::{SystemClock, Tasks, fault::chain};
use mainspring_lake_lance::{Durability, LakeLocation, LanceConfig, LanceLake};
use mainspring_observability::{Elsewhere, Errand, TraceFault, aside};
use mainspring_telemetry::{LogFormat, start_log};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    sync::Mutex,
};

use crate::{
    building::{durability, own_program},
    fault::BootFault,
};

/// What a child says of why it failed is read up to here.
const REASON_MAX: u64 = 4096;

/// What a child is told, as one line of JSON on its standard input, which stays open as long as it may run.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    lake: String,
    synced: bool,
    spill: PathBuf,
    values: PathBuf,
    log: (String, String),
    errand: Errand,
}

#[derive(Debug)]
struct Child {
    program: PathBuf,
    lake: String,
    synced: bool,
    spill: PathBuf,
    values: PathBuf,
    log: (String, String),
    /// Two of them would wait for each other.
    turn: Mutex<()>,
}

pub(crate) fn elsewhere(config: &Config) -> Result<Arc<dyn Elsewhere>, BootFault> {
    Ok(Arc::new(Child {
        program: own_program()?,
        lake: config.lake_url(),
        synced: durability(config) == Durability::Disk,
        spill: config.data_dir().join("spill"),
        values: config.data_dir().join("values"),
        log: (config.log.filter.clone(), config.log.format.clone()),
        turn: Mutex::default(),
    }))
}

#[async_trait]
impl Elsewhere for Child {
    async fn run(&self, errand: Errand) -> Result<(), TraceFault> {
        let _turn = self.turn.lock().await;
        let Self { lake, synced, spill, values, log, .. } = self;
        let (lake, spill, values, log) = (lake.clone(), spill.clone(), values.clone(), log.clone());
        let order = Order { lake, synced: *synced, spill, values, log, errand };
        let outcome = self.start(&order).await.unwrap_or_else(|error| Err(error.to_string()));
        outcome.map_err(|reason| TraceFault::Errand { reason })
    }
}

impl Child {
    async fn start(&self, order: &Order) -> std::io::Result<Result<(), String>> {
        let mut child = Command::new(&self.program)
            .arg("__errand")
            .env_clear()
            // Whoever presses Ctrl-C stops the gateway, which waits for what its child is at.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || std::io::Error::other("the child has no pipes");
        let (mut input, output) = (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        input.write_all(&line).await?;
        let mut reason = Vec::new();
        output.take(REASON_MAX).read_to_end(&mut reason).await?;
        let status = child.wait().await?;
        drop(input);
        let reason = String::from_utf8_lossy(&reason).into_owned();
        let said = if reason.is_empty() { status.to_string() } else { reason };
        Ok(if status.success() { Ok(()) } else { Err(said) })
    }
}

/// Runs as `mainspring __errand`. It ends when its work does, or with the process that started it.
#[must_use]
pub fn errand_main() -> ExitCode {
    let mut line = String::new();
    let order = std::io::stdin().read_line(&mut line).map_err(|error| error.to_string());
    let order = order.and_then(|_| serde_json::from_str::<Order>(&line).map_err(|error| error.to_string()));
    // Two processes that bring the same segments would add them twice.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string());
    let outcome = order.and_then(|order| runtime.and_then(|runtime| runtime.block_on(run(order))));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            use std::io::Write as _;
            let _ = write!(std::io::stdout(), "{reason}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Order { lake, synced, spill, values, log: (filter, format), errand }: Order) -> Result<(), String> {
    // Damaged segments are told of as if the gateway had found them.
    let format = format.parse().unwrap_or(LogFormat::Text);
    start_log(&filter, format).map_err(|fault| chain(&fault))?;
    let location = LakeLocation::parse(&lake).map_err(|fault| chain(&fault))?;
    let durability = if synced { Durability::Disk } else { Durability::Process };
    let tasks = Tasks::default();
    let lance = LanceConfig { durability, tasks: tasks.clone(), clock: Arc::new(SystemClock), ..LanceConfig::new(location) };
    let lake = LanceLake::open(lance.for_adding()).await.map_err(|fault| chain(&fault))?;
    let values = Blobs::local(&values).map_err(|fault| chain(&fault))?;
    let (done, outcome) = tokio::sync::oneshot::channel();
    aside("errand", async move {
        let _ = done.send(errand.run(&lake, &spill, values).await);
    })
    .await;
    outcome.await.map_err(|error| error.to_string())?.map_err(|fault| chain(&fault))
}
