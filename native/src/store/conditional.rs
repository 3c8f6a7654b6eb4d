//! Uploads in parts to S3 that are completed only if the object is absent.
//!
//! S3 has had this since 2024, by the header `If-None-Match`. `object_store` sends it only inside of its copies, so the
//! header is put here on the requests that complete an upload; it need not be signed.

use async_trait::async_trait;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::{HeaderValue, Result};

/// Makes clients that complete uploads only so.
#[derive(Debug)]
pub(super) struct CompleteIfAbsent;

impl HttpConnector for CompleteIfAbsent {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Conditional(inner)))
    }
}

#[derive(Debug)]
struct Conditional(HttpClient);

#[async_trait]
impl HttpService for Conditional {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let is_of_upload = query.split('&').any(|pair| pair.starts_with("uploadId="));
        if request.method().as_str() == "POST" && is_of_upload {
            request.headers_mut().insert("if-none-match", HeaderValue::from_static("*"));
        }
        self.0.execute(request).await
    }
}
