// Written by `npm run api` from the OpenAPI document: do not edit.

export interface paths {
    "/upload": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["upload"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/upload/tus/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["tus_begin"];
        delete?: never;
        options: operations["tus_options"];
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/upload/tus/{upload}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete: operations["tus_end"];
        options?: never;
        head: operations["tus_offset"];
        patch: operations["tus_append"];
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["healthz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/startz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["startz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["readyz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        NotStored: {
            filename: string;
            problem: components["schemas"]["Problem"];
        };
        Problem: {
            type: string;
            title: string;
            status: number;
            detail: string;
        } & {
            [key: string]: unknown;
        };
        Status: {
            status: string;
        };
        Stored: {
            /** Format: uuid */
            uuid: string;
            filename: string;
        };
        AutoLevels: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "auto_levels";
            /** @default 0.5 */
            ignored: number;
            /** @default false */
            balance: boolean;
        };
        AutoOrient: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "auto_orient";
        };
        Blur: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "blur";
            /** @default 1% */
            radius: string | number;
            /** @default 0% */
            x: string | number;
            /** @default 0% */
            y: string | number;
            /** @default 100% */
            width: string | number;
            /** @default 100% */
            height: string | number;
        };
        Border: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "border";
            /** @default 3% */
            width: string | number;
            /** @default #ffffff */
            colour: string;
        };
        Brightness: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "brightness";
            factor: number;
        };
        Circles: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "circles";
            /** @default 15 */
            count: number;
            /** @default 0.6 */
            opacity: number;
            /** @default null */
            seed: number | null;
            /** @default null */
            colours: string[] | null;
            /** @default 3% */
            smallest: string | number;
            /** @default 17% */
            largest: string | number;
            /**
             * @default mixed
             * @enum {string}
             */
            style: "mixed" | "filled" | "rings";
        };
        Colourise: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "colourise";
            /** @default #1d3557 */
            shadows: string;
            /** @default #f1faee */
            highlights: string;
            /** @default 1 */
            amount: number;
        };
        Contrast: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "contrast";
            factor: number;
        };
        Crop: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "crop";
            /** @default null */
            x: (string | number) | null;
            /** @default null */
            y: (string | number) | null;
            /** @default null */
            width: (string | number) | null;
            /** @default null */
            height: (string | number) | null;
            /** @default null */
            aspect: string | null;
            /**
             * @default center
             * @enum {string}
             */
            position: "top-left" | "top" | "top-right" | "left" | "center" | "right" | "bottom-left" | "bottom" | "bottom-right";
        } & (({
            width: unknown;
        } | {
            height: unknown;
        }) | {
            aspect: unknown;
        });
        Encode: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "encode";
            /** @default null */
            format: ("jpeg" | "png" | "webp" | "avif" | "auto") | null;
            /** @default null */
            quality: number | "auto" | null;
            /** @default false */
            lossless: boolean;
            /** @default #ffffff */
            background: string;
            /** @default false */
            progressive: boolean;
            /** @default null */
            max_bytes: number | null;
        };
        Exposure: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "exposure";
            stops: number;
        };
        Flip: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "flip";
            /**
             * @default horizontal
             * @enum {string}
             */
            direction: "horizontal" | "vertical";
        };
        Gamma: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "gamma";
            gamma: number;
        };
        Grayscale: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "grayscale";
            /** @default 1 */
            amount: number;
        };
        Highlights: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "highlights";
            amount: number;
        };
        Hue: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "hue";
            angle: number;
        };
        OutputRecipe: {
            /** @default [] */
            steps: (components["schemas"]["AutoLevels"] | components["schemas"]["AutoOrient"] | components["schemas"]["Blur"] | components["schemas"]["Border"] | components["schemas"]["Brightness"] | components["schemas"]["Circles"] | components["schemas"]["Colourise"] | components["schemas"]["Contrast"] | components["schemas"]["Crop"] | components["schemas"]["Encode"] | components["schemas"]["Exposure"] | components["schemas"]["Flip"] | components["schemas"]["Gamma"] | components["schemas"]["Grayscale"] | components["schemas"]["Highlights"] | components["schemas"]["Hue"] | components["schemas"]["Overlay"] | components["schemas"]["Pad"] | components["schemas"]["Pixelate"] | components["schemas"]["Resize"] | components["schemas"]["Rotate"] | components["schemas"]["RoundCorners"] | components["schemas"]["Saturation"] | components["schemas"]["Shadows"] | components["schemas"]["Sharpen"] | components["schemas"]["SmartCrop"] | components["schemas"]["StripMetadata"] | components["schemas"]["Temperature"] | components["schemas"]["Text"] | components["schemas"]["Trim"] | components["schemas"]["Watermark"])[];
            /** @default null */
            output: components["schemas"]["Encoding"] | null;
        };
        Overlay: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "overlay";
            asset: string;
            /**
             * @default once
             * @enum {string}
             */
            layout: "once" | "tiled" | "stretched";
            /**
             * @default bottom-right
             * @enum {string}
             */
            position: "top-left" | "top" | "top-right" | "left" | "center" | "right" | "bottom-left" | "bottom" | "bottom-right";
            /** @default 20% */
            size: string | number;
            /** @default 3% */
            margin: string | number;
            /** @default 1 */
            opacity: number;
        };
        Pad: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "pad";
            /** @default null */
            aspect: string | null;
            /** @default null */
            width: (string | number) | null;
            /** @default null */
            height: (string | number) | null;
            /**
             * @default center
             * @enum {string}
             */
            position: "top-left" | "top" | "top-right" | "left" | "center" | "right" | "bottom-left" | "bottom" | "bottom-right";
            /** @default #ffffff */
            colour: string;
        };
        Pixelate: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "pixelate";
            /** @default 4% */
            size: string | number;
            /** @default 0% */
            x: string | number;
            /** @default 0% */
            y: string | number;
            /** @default 100% */
            width: string | number;
            /** @default 100% */
            height: string | number;
        };
        Resize: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "resize";
            /** @default null */
            width: (string | number) | null;
            /** @default null */
            height: (string | number) | null;
            /**
             * @default contain
             * @enum {string}
             */
            fit: "contain" | "cover" | "exact";
            /**
             * @default center
             * @enum {string}
             */
            position: "top-left" | "top" | "top-right" | "left" | "center" | "right" | "bottom-left" | "bottom" | "bottom-right";
            /** @default false */
            enlarge: boolean;
        } | {
            width: unknown;
        } | {
            height: unknown;
        };
        Rotate: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "rotate";
            angle: number;
            /** @default true */
            expand: boolean;
            /** @default #ffffff */
            background: string;
        };
        RoundCorners: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "round_corners";
            /** @default 8% */
            radius: string | number;
            /** @default transparent */
            background: string;
        };
        Saturation: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "saturation";
            factor: number;
        };
        Shadows: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "shadows";
            amount: number;
        };
        Sharpen: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "sharpen";
            /** @default 1 */
            amount: number;
            /** @default 0.15% */
            radius: string | number;
            /** @default 2 */
            threshold: number;
        };
        SmartCrop: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "smart_crop";
            /** @default null */
            aspect: string | null;
            /** @default null */
            width: (string | number) | null;
            /** @default null */
            height: (string | number) | null;
        };
        StripMetadata: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "strip_metadata";
        };
        Temperature: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "temperature";
            amount: number;
        };
        Text: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "text";
            text: string;
            /**
             * @default sans
             * @enum {string}
             */
            font: "sans" | "serif" | "mono";
            /** @default 8% */
            size: string | number;
            /** @default #ffffff */
            colour: string;
            /**
             * @default bottom
             * @enum {string}
             */
            position: "top-left" | "top" | "top-right" | "left" | "center" | "right" | "bottom-left" | "bottom" | "bottom-right";
            /**
             * @default center
             * @enum {string}
             */
            align: "left" | "center" | "right";
            /** @default 100% */
            width: string | number;
            /** @default 4% */
            margin: string | number;
            /** @default 1 */
            opacity: number;
        };
        Trim: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "trim";
            /** @default 20 */
            tolerance: number;
        };
        Watermark: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            transform: "watermark";
            text: string;
            /**
             * @default bottom-right
             * @enum {string}
             */
            position: "top-left" | "top" | "top-right" | "left" | "center" | "right" | "bottom-left" | "bottom" | "bottom-right";
            /** @default 6% */
            size: string | number;
            /** @default 3% */
            margin: string | number;
            /** @default 0.6 */
            opacity: number;
            /** @default #ffffff */
            colour: string;
        };
        Encoding: {
            /**
             * @default encode
             * @constant
             */
            transform: "encode";
            /** @default null */
            format: ("jpeg" | "png" | "webp" | "avif" | "auto") | null;
            /** @default null */
            quality: number | "auto" | null;
            /** @default false */
            lossless: boolean;
            /** @default #ffffff */
            background: string;
            /** @default false */
            progressive: boolean;
            /** @default null */
            max_bytes: number | null;
        };
        Recipe: {
            steps: (components["schemas"]["AutoLevels"] | components["schemas"]["AutoOrient"] | components["schemas"]["Blur"] | components["schemas"]["Border"] | components["schemas"]["Brightness"] | components["schemas"]["Circles"] | components["schemas"]["Colourise"] | components["schemas"]["Contrast"] | components["schemas"]["Crop"] | components["schemas"]["Encode"] | components["schemas"]["Exposure"] | components["schemas"]["Flip"] | components["schemas"]["Gamma"] | components["schemas"]["Grayscale"] | components["schemas"]["Highlights"] | components["schemas"]["Hue"] | components["schemas"]["Overlay"] | components["schemas"]["Pad"] | components["schemas"]["Pixelate"] | components["schemas"]["Resize"] | components["schemas"]["Rotate"] | components["schemas"]["RoundCorners"] | components["schemas"]["Saturation"] | components["schemas"]["Shadows"] | components["schemas"]["Sharpen"] | components["schemas"]["SmartCrop"] | components["schemas"]["StripMetadata"] | components["schemas"]["Temperature"] | components["schemas"]["Text"] | components["schemas"]["Trim"] | components["schemas"]["Watermark"])[];
            outputs?: {
                [key: string]: components["schemas"]["OutputRecipe"];
            };
            /** @default null */
            readonly first: string | null;
            /** @default null */
            export: string | null;
        } | {
            steps?: unknown;
        } | {
            outputs: unknown;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    upload: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": {
                    file: string[];
                    /** @default circles */
                    recipe?: ("" | "circles" | "as-it-is" | "black-and-white" | "confetti" | "dream" | "framed" | "print-and-web" | "responsive" | "social" | "square" | "vivid" | "watermark" | "web") | components["schemas"]["Recipe"];
                };
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Stored"] | (components["schemas"]["Stored"] | components["schemas"]["NotStored"])[];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                    "application/json": components["schemas"]["NotStored"][];
                };
            };
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                    "application/json": components["schemas"]["NotStored"][];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                    "application/json": components["schemas"]["NotStored"][];
                };
            };
            429: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                    "application/json": components["schemas"]["NotStored"][];
                };
            };
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                    "application/json": components["schemas"]["NotStored"][];
                };
            };
        };
    };
    tus_begin: {
        parameters: {
            query?: never;
            header: {
                "Tus-Resumable": "1.0.0";
                "Upload-Length": number;
                "Upload-Metadata"?: string;
                "Upload-Checksum"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/offset+octet-stream": string;
            };
        };
        responses: {
            201: {
                headers: {
                    Location?: string;
                    "Upload-Offset"?: number;
                    "Upload-Expires"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            431: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            460: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    tus_options: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    "Tus-Version"?: string;
                    "Tus-Extension"?: string;
                    "Tus-Max-Size"?: number;
                    "Tus-Checksum-Algorithm"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    tus_end: {
        parameters: {
            query?: never;
            header: {
                "Tus-Resumable": "1.0.0";
            };
            path: {
                upload: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            423: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    tus_offset: {
        parameters: {
            query?: never;
            header: {
                "Tus-Resumable": "1.0.0";
            };
            path: {
                upload: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    "Upload-Offset"?: number;
                    "Upload-Length"?: number;
                    "Upload-Metadata"?: string;
                    "Upload-Expires"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    tus_append: {
        parameters: {
            query?: never;
            header: {
                "Tus-Resumable": "1.0.0";
                "Upload-Offset": number;
                "Upload-Checksum"?: string;
            };
            path: {
                upload: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/offset+octet-stream": string;
            };
        };
        responses: {
            204: {
                headers: {
                    "Upload-Offset"?: number;
                    "Upload-Expires"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            423: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            460: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    healthz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Status"];
                };
            };
        };
    };
    startz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Status"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readyz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Status"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
