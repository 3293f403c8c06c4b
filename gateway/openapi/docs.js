// A file of its own: the page's Content-Security-Policy allows no script inside the page.
window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    validatorUrl: null, // otherwise Swagger UI shows a badge of swagger.io
  });
};
