//! Where the master key comes from: the settings, or a file that is made when it is first needed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};

use crate::{
    fault::SecretsFault,
    sealed::{KEY_LEN, MasterKey, random},
};

/// The name of the file in the data directory.
const OWN: &str = "master.key";
/// One that is in force and some that are still needed for what they sealed.
const KEYS_MAX: usize = 16;

/// What the settings say of the master key.
#[derive(Debug, Clone)]
pub struct MasterSettings {
    /// The key itself.
    pub key: Option<SecretString>,
    /// A file that holds it.
    pub file: Option<PathBuf>,
    /// Where one is made where neither is there.
    pub data: PathBuf,
}

/// The master keys of this process. The first seals; the others open what they sealed before.
#[derive(Debug)]
pub struct MasterKeys {
    /// The file that this process made, and may write.
    own: Option<PathBuf>,
    keys: RwLock<Option<Keys>>,
}

pub(crate) type Keys = Arc<[MasterKey]>;

impl MasterKeys {
    /// A key that the settings give and that cannot be read is told at once.
    pub fn open(settings: MasterSettings) -> Result<Self, SecretsFault> {
        let MasterSettings { key, file, data } = settings;
        if let Some(text) = key {
            let keys = parse(text.expose_secret(), "the settings")?;
            return Ok(Self { own: None, keys: RwLock::new(Some(keys)) });
        }
        if let Some(path) = file {
            let place = path.display().to_string();
            let keys = parse(&read(&path)?, &place)?;
            return Ok(Self { own: None, keys: RwLock::new(Some(keys)) });
        }
        let path = data.join(OWN);
        let keys = match read(&path) {
            Ok(text) => Some(parse(&text, &path.display().to_string())?),
            Err(SecretsFault::MasterKeyUnusable { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
            Err(fault) => return Err(fault),
        };
        Ok(Self { own: Some(path), keys: RwLock::new(keys) })
    }

    /// Nothing where no key was given and none was needed so far.
    pub(crate) fn keys(&self) -> Option<Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys; where there is none, one is made.
    pub(crate) fn keys_or_new(&self) -> Result<Keys, SecretsFault> {
        match (self.keys(), &self.own) {
            (Some(keys), _) => Ok(keys),
            (None, Some(path)) => self.write(path, &fresh()?),
            // Given keys are never none.
            (None, None) => Err(SecretsFault::BadMasterKey { place: "the settings".to_owned(), reason: "is empty" }),
        }
    }

    /// Puts a new key before those there are. Given keys stay: whoever gave them gives another.
    pub(crate) fn begin_rotation(&self) -> Result<Keys, SecretsFault> {
        let Some(path) = &self.own else { return self.keys_or_new() };
        let mut text = fresh()?;
        if self.keys().is_some() {
            text.push_str(&read(path)?);
        }
        self.write(path, &text)
    }

    /// Forgets all keys but the one in force, which has sealed everything.
    pub(crate) fn end_rotation(&self) -> Result<(), SecretsFault> {
        let Some(path) = &self.own else { return Ok(()) };
        let text = read(path)?;
        self.write(path, text.lines().next().unwrap_or_default()).map(drop)
    }

    /// Takes the new key away again, with which nothing was sealed.
    pub(crate) fn undo_rotation(&self) -> Result<(), SecretsFault> {
        let Some(path) = &self.own else { return Ok(()) };
        let text = read(path)?;
        match text.split_once('\n') {
            Some((_, before)) if !before.is_empty() => self.write(path, before).map(drop),
            _ => Ok(()),
        }
    }

    fn write(&self, path: &Path, text: &str) -> Result<Keys, SecretsFault> {
        let place = path.display().to_string();
        let keys = parse(text, &place)?;
        replace(path, text).map_err(|source| SecretsFault::MasterKeyUnusable { place, source })?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&keys));
        Ok(keys)
    }
}

/// The old file or the new one is there, whenever the machine stops.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.trim_end().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn read(path: &Path) -> Result<Zeroizing<String>, SecretsFault> {
    let unusable = |source| SecretsFault::MasterKeyUnusable { place: path.display().to_string(), source };
    if !fs::metadata(path).map_err(unusable)?.is_file() {
        // A pipe or a device could be read for ever.
        return Err(unusable(io::ErrorKind::InvalidInput.into()));
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(unusable)
}

fn fresh() -> Result<Zeroizing<String>, SecretsFault> {
    let bytes: Zeroizing<[u8; KEY_LEN]> = random().map_err(|_| SecretsFault::NoRandomness)?;
    // With room for all that may follow: a text that grows leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(3 * KEY_LEN * (KEYS_MAX + 1)));
    STANDARD.encode_string(bytes.as_slice(), &mut text);
    text.push('\n');
    Ok(text)
}

/// Keys apart by blanks, commas or lines; each 32 bytes in base64, of either alphabet, or in hexadecimal.
pub(crate) fn parse(text: &str, place: &str) -> Result<Keys, SecretsFault> {
    let bad = |reason| SecretsFault::BadMasterKey { place: place.to_owned(), reason };
    let mut keys = Vec::new();
    for word in text.split([' ', ',', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
        let bytes = decode(word).ok_or_else(|| bad("is not 32 bytes in base64 or hexadecimal"))?;
        keys.push(MasterKey::of(&bytes).ok_or_else(|| bad("is not 32 bytes in base64 or hexadecimal"))?);
    }
    match keys.len() {
        0 => Err(bad("is empty")),
        1..=KEYS_MAX => Ok(keys.into()),
        _ => Err(bad("is more than 16 keys")),
    }
}

fn decode(word: &str) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let bytes = if word.len() == 2 * KEY_LEN {
        hex::decode(word).ok()?
    } else {
        let plain = word.trim_end_matches('=').chars().map(|letter| match letter {
            '-' => '+',
            '_' => '/',
            other => other,
        });
        STANDARD_NO_PAD.decode(Zeroizing::new(plain.collect::<String>()).as_bytes()).ok()?
    };
    let bytes = Zeroizing::new(bytes);
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}
