import '@fontsource-variable/figtree'
import { mount } from 'svelte'
import App from './frame/App.svelte'
import './frame/app.css'
import { theme } from './frame/theme.svelte'

theme.apply()
const target = document.getElementById('app')
if (target) mount(App, { target })
