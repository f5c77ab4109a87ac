//! A form's body, read as strictly as JSON is.

use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use crate::problem::{Code, Problem};

/// A form: the right content type, at most 64 KiB, no unknown or duplicate field.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Form::<T>::from_request(request, state).await {
            Ok(axum::Form(form)) => Ok(Self(form)),
            Err(FormRejection::InvalidFormContentType(_)) => Err(Code::UnsupportedMediaType.into()),
            // What serde says may repeat what was typed, so nobody is told.
            Err(
                FormRejection::FailedToDeserializeForm(_)
                | FormRejection::FailedToDeserializeFormBody(_),
            ) => Err(Code::ValidationFailed.into()),
            Err(FormRejection::BytesRejection(rejection))
                if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE =>
            {
                Err(Code::BodyTooLarge.into())
            }
            Err(_) => Err(Code::RequestTimeout.into()),
        }
    }
}
