"""Operations of an adaptor from an OpenAPI document: read the document, list its operations, write their source."""
