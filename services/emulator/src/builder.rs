//! The emulator's configuration.

use std::{panic::resume_unwind, path::PathBuf, time::Duration};

use axum::middleware::from_fn_with_state;
use brigade_model::{Backend, Memory, Model, Permission, Role};
use brigade_runtime::local_site::LocalSite;
use tokio::{net::TcpListener, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::{
    emulator::Emulator,
    error::StartError,
    identity::{self, Issuer},
    serve::serve,
    storage::{self, Directory, Grants, Operation, Storage, inject_faults},
};

/// The project's default service account, when none is named.
const DEFAULT_ACCOUNT: &str = "default@brigade-dev.iam.gserviceaccount.com";

/// The emulator's configuration: buckets and service accounts.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    buckets: Vec<(String, Option<PathBuf>)>,
    accounts: Vec<String>,
    roles: Vec<Role>,
    /// Whether files of directories have to rest.
    is_watched: bool,
    rest: Option<Duration>,
    hosts: Vec<String>,
}

impl Emulator {
    /// A builder with no bucket yet.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// Keeps this bucket's objects as files of a directory, which is made when it is not there.
    #[must_use]
    pub fn directory(mut self, bucket: &str, path: impl Into<PathBuf>) -> Self {
        self.buckets.push((bucket.to_owned(), Some(path.into())));
        self
    }

    /// Makes a file that another program drops into a directory an object once it has rested: it has not changed for this time,
    /// or for what this system needs, and no program has it open for writing. One that is renamed into place is an object at
    /// once. What editors and desktops leave behind is left alone. Without this call each file is an object at once.
    #[must_use]
    pub fn rest(mut self, rest: Option<Duration>) -> Self {
        (self.is_watched, self.rest) = (true, rest);
        self
    }

    /// Keeps the objects of buckets that have no directory in memory. This is the default; the call states it.
    #[must_use]
    pub fn memory(self) -> Self {
        self
    }

    /// Makes a bucket in memory.
    #[must_use]
    pub fn bucket(mut self, name: &str) -> Self {
        self.buckets.push((name.to_owned(), None));
        self
    }

    /// Knows this service account; the first one is the metadata server's `default`.
    #[must_use]
    pub fn service_account(mut self, email: &str) -> Self {
        self.accounts.push(email.to_owned());
        self
    }

    /// Grants this account permissions on every object whose name begins with `prefix`, and on listings of such names; an
    /// empty one grants them on everything. The account is known from then on.
    ///
    /// From the first role on, calls to storage need an access token of an account with the permissions that they take:
    /// others are refused as Google refuses them. Without roles everybody may do everything.
    #[must_use]
    pub fn role(mut self, account: &str, permissions: &[Permission], prefix: &str) -> Self {
        if !self.accounts.iter().any(|known| known == account) {
            self.accounts.push(account.to_owned());
        }
        self.roles.push(Role {
            account: account.to_owned(),
            permissions: permissions.to_vec(),
            prefix: prefix.to_owned(),
        });
        self
    }

    /// Answers calls to this host too; see [`LocalSite::new`]. Else it answers to this machine's own names, and to Google's: a
    /// library may send the name of the service that it would call.
    #[must_use]
    pub fn allow_host(mut self, host: &str) -> Self {
        self.hosts.push(host.to_owned());
        self
    }

    /// Serves on this listener until it is [stopped](Emulator::stop) or dropped.
    ///
    /// # Errors
    /// When the listener is not on a loopback address, or a bucket cannot be made. Nothing is served then.
    pub async fn start(mut self, listener: TcpListener) -> Result<Emulator, StartError> {
        let address = listener.local_addr().map_err(StartError::Listener)?;
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback { address });
        }
        let storage = open(self.buckets, self.is_watched, self.rest).await?;
        if self.accounts.is_empty() {
            self.accounts.push(DEFAULT_ACCOUNT.to_owned());
        }
        let issuer = Issuer::new(&self.accounts, address);
        let grants = Grants::new(issuer.clone(), self.roles);
        let router =
            storage::router(&storage, grants).merge(identity::routes(&issuer).layer(
                from_fn_with_state((storage.clone(), Some(Operation::Token)), inject_faults),
            ));
        // Who owns that domain alone could let a name of it lead here.
        let hosts = self.hosts.into_iter().chain(["*.googleapis.com".to_owned()]);
        let router = LocalSite::new(hosts).protect(router);
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, router, stop.clone()));
        Ok(Emulator::new(address, storage, issuer, stop, server))
    }
}

/// Opens the buckets, with what has to be read of the disk for that.
async fn open(
    buckets: Vec<(String, Option<PathBuf>)>,
    is_watched: bool,
    rest: Option<Duration>,
) -> Result<Storage, StartError> {
    let opening = spawn_blocking(move || {
        let (first, _) = buckets.first().ok_or(StartError::NoBucket)?;
        let mut model = Model::default();
        for (bucket, path) in &buckets {
            let backend: Box<dyn Backend> = match path {
                Some(path) => {
                    let directory = Directory::open(bucket, path)?;
                    Box::new(if is_watched { directory.watched(rest) } else { directory })
                }
                None => Box::new(Memory::default()),
            };
            let added = brigade_model::name::check_bucket(bucket)
                .and_then(|()| model.add_bucket(bucket, backend));
            added.map_err(|refusal| StartError::Bucket { bucket: bucket.clone(), refusal })?;
        }
        let on_disk = buckets.iter().any(|(_, path)| path.is_some());
        Ok(Storage::new(model, on_disk, first.clone()))
    });
    opening.await.unwrap_or_else(|panic| resume_unwind(panic.into_panic()))
}
