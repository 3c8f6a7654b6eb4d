//! Uploads in parts that are completed only if the object is absent.
//!
//! S3 has had this since 2024, and Azure has it for lists of blocks, by the header `If-None-Match`. `object_store` sends
//! it only inside of its copies, so the header is put here on the requests that complete an upload. S3 does not ask for
//! it to be signed, Azure does.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use object_store::azure::{AzureAuthorizer, AzureCredential, AzureCredentialProvider};
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::{HeaderValue, Result};

/// Makes clients that complete uploads only so.
#[derive(Debug, Default)]
pub(super) struct CompleteIfAbsent {
    /// Azure's credentials, once its store is made: requests that an account's key has signed are signed anew.
    pub(super) azure: Arc<OnceLock<AzureCredentialProvider>>,
}

impl HttpConnector for CompleteIfAbsent {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Conditional { inner, azure: self.azure.clone() }))
    }
}

#[derive(Debug)]
struct Conditional {
    inner: HttpClient,
    azure: Arc<OnceLock<AzureCredentialProvider>>,
}

#[async_trait]
impl HttpService for Conditional {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if completes_upload(&request) {
            request.headers_mut().insert("if-none-match", HeaderValue::from_static("*"));
            self.sign_anew(&mut request).await.map_err(|error| HttpError::new(HttpErrorKind::Request, error))?;
        }
        self.inner.execute(request).await
    }
}

impl Conditional {
    /// Signs a request to Azure that has been signed by an account's key; tokens do not depend on the request.
    async fn sign_anew(&self, request: &mut HttpRequest) -> Result<()> {
        let Some(credentials) = self.azure.get() else { return Ok(()) };
        let Some(account) = signing_account(request) else { return Ok(()) };
        let credential = credentials.get_credential().await?;
        if matches!(*credential, AzureCredential::AccessKey(_)) {
            request.headers_mut().remove("authorization");
            AzureAuthorizer::new(&credential, &account).try_authorize(request)?;
        }
        Ok(())
    }
}

/// Whether a request makes an object of an upload's parts, in S3's way or in Azure's.
fn completes_upload(request: &HttpRequest) -> bool {
    let mut pairs = request.uri().query().unwrap_or_default().split('&');
    match request.method().as_str() {
        "POST" => pairs.any(|pair| pair.starts_with("uploadId=")),
        "PUT" => pairs.any(|pair| pair == "comp=blocklist"),
        _ => false,
    }
}

/// The account of `SharedKey account:signature`.
fn signing_account(request: &HttpRequest) -> Option<String> {
    let authorization = request.headers().get("authorization")?.to_str().ok()?;
    let (account, _) = authorization.strip_prefix("SharedKey ")?.split_once(':')?;
    Some(account.to_owned())
}
