//! The public pages, used as a person's browser would.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::stage::Stage;

/// The portal of the program under drill.
pub struct Portal {
    base: String,
    pool: Client<HttpConnector, Full<Bytes>>,
}

impl Portal {
    /// Of this stage.
    pub fn of(stage: &Stage) -> Self {
        let pool = Client::builder(TokioExecutor::new()).build_http();
        Self { base: stage.program.places.portal.clone(), pool }
    }

    /// A page.
    ///
    /// # Errors
    /// When the portal does not answer.
    pub async fn page(&self, path: &str) -> Result<String> {
        Ok(self.send(Method::GET, path, "text/plain", Bytes::new()).await?.1)
    }

    /// Whether the portal says that a code is genuine.
    ///
    /// # Errors
    /// When the portal does not answer.
    pub async fn is_genuine(&self, code: &str) -> Result<bool> {
        let body = Bytes::from(format!("code={code}"));
        let form = "application/x-www-form-urlencoded";
        let (_, page) = self.send(Method::POST, "/check", form, body).await?;
        Ok(page.contains("This code is ours."))
    }

    /// Hands in a mail.
    ///
    /// # Errors
    /// When the portal does not take it.
    pub async fn report(&self, eml: &[u8]) -> Result<()> {
        const BOUNDARY: &str = "cordon-drill-boundary";
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"mail\"; filename=\"mail.eml\"\r\n\
             Content-Type: message/rfc822\r\n\r\n"
        );
        let body = [head.as_bytes(), eml, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let (status, _) = self.send(Method::POST, "/report", &kind, Bytes::from(body)).await?;
        ensure!(status.is_success(), "the portal answered {status}");
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> Result<(StatusCode, String)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, kind)
            .body(Full::new(body))?;
        let response = self.pool.request(request).await.context("calling the portal")?;
        let status = response.status();
        let page = response.into_body().collect().await.context("reading a page")?.to_bytes();
        Ok((status, String::from_utf8_lossy(&page).into_owned()))
    }
}
